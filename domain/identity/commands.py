"""What can be asked of a user, and what it decides.

`decide` sees one user. The rules that take the sight of all of them are in `domain/identity/staff.py`.
"""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, assert_never
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType, structs

from domain.identity.events import (
    UserActivated,
    UserCreated,
    UserDeactivated,
    UserEdited,
    UserEmailVerified,
    UserEvent,
    UserPersonal,
    UserRoleChanged,
)
from domain.identity.state import User
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
    readable,
)
from domain.neighbours import Neighbours, check_no_cycle
from domain.permissions import Role
from domain.values import (
    Email,
    ExternalId,
    Label,
    Name,
    Phone,
    TimeZone,
    check_email,
    check_phone,
    check_texts,
    check_time_zone,
)

Language = Annotated[
    str, Meta(max_length=35, pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$(?!\n)", description="BCP 47", examples=["en"])
]


class CreateUser(Command, frozen=True, kw_only=True):
    """Let somebody into the tenant. Without an e-mail address they are known, but can't log in."""

    PERMISSION: ClassVar[str] = "user:create"
    CREATES: ClassVar[bool] = True
    first_name: Name
    last_name: Name
    email: Email | None = None
    phone: Phone | None = None
    time_zone: TimeZone = "UTC"
    language: Language = "en"
    role: Role = Role.VIEWER
    manager: UUID | None = None
    office: Label | None = None
    external_id: ExternalId | None = None


class EditUser(Command, frozen=True, kw_only=True):
    """Change fields of a user. Their role has a command of its own."""

    PERMISSION: ClassVar[str] = "user:update"
    first_name: Name | UnsetType = UNSET
    last_name: Name | UnsetType = UNSET
    email: Email | UnsetType | None = UNSET
    phone: Phone | UnsetType | None = UNSET
    time_zone: TimeZone | UnsetType = UNSET
    language: Language | UnsetType = UNSET
    manager: UUID | UnsetType | None = UNSET
    office: Label | UnsetType | None = UNSET
    external_id: ExternalId | UnsetType | None = UNSET


class ChangeUserRole(Command, frozen=True, kw_only=True):
    """Let a user do more or less than before."""

    PERMISSION: ClassVar[str] = "user:manage"
    role: Role


class VerifyUserEmail(Command, frozen=True, kw_only=True):
    """Note that a user receives what is mailed to this address, which must be theirs."""

    PERMISSION: ClassVar[str] = "user:manage"
    email: Email


class DeactivateUser(Command, frozen=True, kw_only=True):
    """Lock a user out, end their API keys unless told to keep them, and give them no more work.

    What they own stays theirs. Keys that are kept open nothing until the user is active again.
    """

    PERMISSION: ClassVar[str] = "user:delete"
    keep_api_keys: bool = False


class ActivateUser(Command, frozen=True, kw_only=True):
    """Let a deactivated user in again."""

    PERMISSION: ClassVar[str] = "user:delete"


UserCommand = CreateUser | EditUser | ChangeUserRole | VerifyUserEmail | DeactivateUser | ActivateUser


def references(command: UserCommand, state: User | None) -> Iterator[Reference]:
    """The record that a decision needs: a new manager, under guard up to the top."""
    match command:
        case CreateUser() | EditUser():
            if command.manager and (state is None or command.manager != state.manager):
                yield Reference(field="/manager", entity="user", id=command.manager, guarded=True, lineage=True)
        case ChangeUserRole() | VerifyUserEmail() | DeactivateUser() | ActivateUser():
            return


def claims(state: User) -> frozenset[Claim]:
    """The values that no other user of the tenant may hold; an erased or sealed address is nobody's."""
    held = {Claim("user.external_id", state.external_id)} if state.external_id else set()
    if isinstance(state.personal, UserPersonal) and state.personal.email:
        held.add(Claim("user.email", state.personal.email.casefold()))
    return frozenset(held)


def decide(command: UserCommand, state: User | None, neighbours: Neighbours) -> list[UserEvent]:
    """What a command makes of a user.

    Raises Invalid, HierarchyCycle, Archived, AlreadyExists, NotFound or PersonalDataErased.
    """
    check_texts(command)
    if isinstance(command, CreateUser):
        if state is not None:
            raise AlreadyExists("This user is there already.")
        return [_create(command, neighbours)]
    if state is None:
        raise NotFound("There is no such user.")
    if isinstance(command, ActivateUser):
        return [] if state.active else [UserActivated()]
    if isinstance(command, DeactivateUser):
        return [UserDeactivated(keeps_api_keys=command.keep_api_keys)] if state.active else []
    if not state.active:
        raise Archived("This user is deactivated: activate them first.")
    match command:
        case EditUser():
            return _edit(command, state, neighbours)
        case ChangeUserRole(role=role):
            return [] if role == state.role else [UserRoleChanged(previous=state.role, role=role)]
        case VerifyUserEmail(email=email):
            return _verify(email, state)
        case _ as never:
            assert_never(never)


def _create(command: CreateUser, neighbours: Neighbours) -> UserCreated:
    check_no_cycle(command.manager, neighbours, "/manager")
    personal = UserPersonal(**_personal(command))
    return UserCreated(personal=personal, **given(command, but=UserPersonal.__struct_fields__))


def _edit(command: EditUser, state: User, neighbours: Neighbours) -> list[UserEvent]:
    check_no_cycle(command.manager, neighbours, "/manager")
    changed = changes(given(command, but=UserPersonal.__struct_fields__), state)
    if fields := _personal(command):
        known = readable(state.personal)
        if different := changes(fields, known):
            changed["personal"] = structs.replace(known, **different)
            if state.verified and "email" in different and not _is_same(different["email"], known.email):
                changed["verified"] = False
    return [UserEdited(**changed)] if changed else []


def _verify(email: str, state: User) -> list[UserEvent]:
    if not _is_same(email, readable(state.personal).email):
        raise Invalid("This is not the user's e-mail address.", field="/email")
    return [] if state.verified else [UserEmailVerified()]


def _is_same(email: str | None, other: str | None) -> bool:
    """Whether two addresses are one: log-in makes no difference between upper and lower case either."""
    return (email or "").casefold() == (other or "").casefold()


def _personal(command: CreateUser | EditUser) -> dict[str, Any]:
    """The personal fields that a command sets, checked."""
    if isinstance(command.email, str):
        check_email(command.email, "/email")
    if isinstance(command.phone, str):
        check_phone(command.phone, "/phone")
    if isinstance(command.time_zone, str):
        check_time_zone(command.time_zone, "/time_zone")
    return {name: value for name, value in given(command).items() if name in UserPersonal.__struct_fields__}
