"""An account as its events leave it."""

from decimal import Decimal
from typing import assert_never
from uuid import UUID

from msgspec import Struct, structs

from domain.accounts.events import (
    AccountArchived,
    AccountAssigned,
    AccountCreated,
    AccountEdited,
    AccountEvent,
    AccountRestored,
    Size,
)
from domain.kernel import given
from domain.values import Address


class Account(Struct, frozen=True, kw_only=True):
    """A company that is sold to; `parent` is the company that it belongs to."""

    name: str
    owner: UUID | None = None
    parent: UUID | None = None
    website: str | None = None
    industry: str | None = None
    size: Size | None = None
    employees: int | None = None
    annual_revenue: Decimal | None = None
    currency: str | None = None
    founded: int | None = None
    phone: str | None = None
    email: str | None = None
    address: Address | None = None
    description: str | None = None
    external_id: str | None = None
    archived: bool = False


def evolve(state: Account | None, event: AccountEvent) -> Account | None:
    """The one fold of an account. An event of an account that never was made changes nothing."""
    if isinstance(event, AccountCreated):
        return Account(**given(event))
    if state is None:
        return None
    match event:
        case AccountEdited():
            return structs.replace(state, **given(event))
        case AccountAssigned():
            return structs.replace(state, owner=event.owner)
        case AccountArchived():
            return structs.replace(state, archived=True)
        case AccountRestored():
            return structs.replace(state, archived=False)
        case _ as never:
            assert_never(never)
