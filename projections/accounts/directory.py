"""Accounts, to get and to list."""

from decimal import Decimal
from uuid import UUID

from msgspec import Struct

from domain.accounts.events import Size
from projections.directories import ARCHIVED, Column, Directory, Record, row_of, sort_key


class AddressRow(Struct, frozen=True, kw_only=True):
    """Where something is."""

    street: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None


class AccountRow(Record, frozen=True, kw_only=True):
    """An account as it is read."""

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
    address: AddressRow | None = None
    description: str | None = None
    external_id: str | None = None


class AccountFilter(Struct, frozen=True, kw_only=True):
    """Which accounts to list; None matches all."""

    owner: UUID | None = None
    industry: str | None = None
    parent: UUID | None = None
    archived: bool | None = False


ACCOUNTS = Directory(
    name="accounts",
    entity="account",
    row=AccountRow,
    filters=AccountFilter,
    fold=lambda story: row_of(story, AccountRow),
    columns={
        "name_key": Column("text", lambda row: sort_key(row.name)),
        "owner": Column("uuid"),
        "parent": Column("uuid"),
        "industry": Column("text"),
    },
    conditions={
        "owner": "owner = %(owner)s",
        "industry": "industry = %(industry)s",
        "parent": "parent = %(parent)s",
        "archived": ARCHIVED,
    },
    sorts={"name": "name_key", "created_at": "created_at", "updated_at": "updated_at"},
    order="name",
    owner="owner",
)
