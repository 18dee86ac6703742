"""What can be asked of an account, and what it decides."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar, assert_never
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType, structs

from domain.accounts.events import (
    AccountArchived,
    AccountAssigned,
    AccountCreated,
    AccountEdited,
    AccountEvent,
    AccountRestored,
    Size,
)
from domain.accounts.state import Account
from domain.currencies import check_currency
from domain.kernel import (
    AlreadyExists,
    Archived,
    Claim,
    Command,
    Invalid,
    NotFound,
    Reference,
    changes,
    given,
    newly_named,
)
from domain.neighbours import Neighbours, check_no_cycle
from domain.values import (
    AddressDraft,
    Currency,
    Email,
    ExternalId,
    Label,
    Name,
    Phone,
    Text,
    Url,
    check_amount,
    check_email,
    check_phone,
    check_texts,
    check_url,
)

Employees = Annotated[int, Meta(ge=1, le=100_000_000)]
Year = Annotated[int, Meta(ge=1, le=9999)]


class CreateAccount(Command, frozen=True, kw_only=True):
    """Make an account. `size` follows from the number of employees where that is known."""

    PERMISSION: ClassVar[str] = "account:create"
    CREATES: ClassVar[bool] = True
    name: Name
    owner: UUID | None = None
    parent: UUID | None = None
    website: Url | None = None
    industry: Label | None = None
    size: Size | None = None
    employees: Employees | None = None
    annual_revenue: Decimal | None = None
    currency: Currency | None = None
    founded: Year | None = None
    phone: Phone | None = None
    email: Email | None = None
    address: AddressDraft | None = None
    description: Text | None = None
    external_id: ExternalId | None = None


class EditAccount(Command, frozen=True, kw_only=True):
    """Change fields of an account. Its owner has a command of its own."""

    PERMISSION: ClassVar[str] = "account:update"
    name: Name | UnsetType = UNSET
    parent: UUID | UnsetType | None = UNSET
    website: Url | UnsetType | None = UNSET
    industry: Label | UnsetType | None = UNSET
    size: Size | UnsetType | None = UNSET
    employees: Employees | UnsetType | None = UNSET
    annual_revenue: Decimal | UnsetType | None = UNSET
    currency: Currency | UnsetType | None = UNSET
    founded: Year | UnsetType | None = UNSET
    phone: Phone | UnsetType | None = UNSET
    email: Email | UnsetType | None = UNSET
    address: AddressDraft | UnsetType | None = UNSET
    description: Text | UnsetType | None = UNSET
    external_id: ExternalId | UnsetType | None = UNSET


class AssignAccount(Command, frozen=True, kw_only=True):
    """Give an account to another owner."""

    PERMISSION: ClassVar[str] = "account:assign"
    owner: UUID


class ArchiveAccount(Command, frozen=True, kw_only=True):
    """Take an account out of the lists."""

    PERMISSION: ClassVar[str] = "account:delete"


class RestoreAccount(Command, frozen=True, kw_only=True):
    """Bring an archived account back."""

    PERMISSION: ClassVar[str] = "account:delete"


AccountCommand = CreateAccount | EditAccount | AssignAccount | ArchiveAccount | RestoreAccount


def references(command: AccountCommand, state: Account | None) -> Iterator[Reference]:
    """The records that a decision needs: a new parent under guard up to the root, a new owner to exist."""
    match command:
        case CreateAccount():
            yield from newly_named("/owner", "user", command.owner, None)
            yield from _parent(command.parent, None)
        case EditAccount():
            yield from _parent(command.parent, state.parent if state else None)
        case AssignAccount():
            yield from newly_named("/owner", "user", command.owner, state.owner if state else None)
        case ArchiveAccount() | RestoreAccount():
            return


def _parent(parent: UUID | UnsetType | None, known: UUID | None) -> Iterator[Reference]:
    if parent and parent != known:
        yield Reference(field="/parent", entity="account", id=parent, guarded=True, lineage=True)


def claims(state: Account) -> frozenset[Claim]:
    """The values that no other account of the tenant may hold."""
    return frozenset({Claim("account.external_id", state.external_id)} if state.external_id else ())


def decide(command: AccountCommand, state: Account | None, neighbours: Neighbours) -> list[AccountEvent]:
    """What a command makes of an account.

    Raises Invalid, HierarchyCycle, Archived, AlreadyExists or NotFound.
    """
    check_texts(command)
    if isinstance(command, CreateAccount):
        if state is not None:
            raise AlreadyExists("This account is there already.")
        return [AccountCreated(**_settled(command, None, neighbours))]
    if state is None:
        raise NotFound("There is no such account.")
    if isinstance(command, RestoreAccount):
        return [AccountRestored()] if state.archived else []
    if isinstance(command, ArchiveAccount):
        return [] if state.archived else [AccountArchived()]
    if state.archived:
        raise Archived("This account is archived: restore it first.")
    match command:
        case EditAccount():
            changed = changes(_settled(command, state, neighbours), state)
            return [AccountEdited(**changed)] if changed else []
        case AssignAccount(owner=owner):
            return [] if owner == state.owner else [AccountAssigned(previous=state.owner, owner=owner)]
        case _ as never:
            assert_never(never)


def _settled(command: CreateAccount | EditAccount, state: Account | None, neighbours: Neighbours) -> dict[str, Any]:
    """The fields that a command sets, checked, and completed by what follows from them."""
    fields = given(command)
    _check(fields)
    check_currency(fields.get("currency"), "/currency")
    check_no_cycle(command.parent, neighbours, "/parent")
    if isinstance(command.address, AddressDraft):
        fields["address"] = command.address.upon(state.address if state else None)
    after = fields if state is None else {**structs.asdict(state), **fields}
    if after["annual_revenue"] is not None and after["currency"] is None:
        raise Invalid("An annual revenue needs a currency.", field="/currency")
    if after["employees"] is not None:
        fields["size"] = _size(after["employees"], fields.get("size"))
    return fields


def _size(employees: int, asked: Size | None) -> Size:
    size = Size.of(employees)
    if asked not in (None, size):
        raise Invalid(f"{employees} employees are of size '{size}'.", field="/size")
    return size


def _check(fields: Mapping[str, Any]) -> None:
    checks: tuple[tuple[str, Callable[[Any, str], None]], ...] = (
        ("annual_revenue", check_amount),
        ("website", check_url),
        ("phone", check_phone),
        ("email", check_email),
    )
    for name, check in checks:
        if fields.get(name) is not None:
            check(fields[name], f"/{name}")
