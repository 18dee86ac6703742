"""A user as their events leave them."""

from typing import assert_never
from uuid import UUID

from msgspec import Struct, structs

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
from domain.kernel import Erased, Sealed, given
from domain.permissions import Role


class User(Struct, frozen=True, kw_only=True):
    """Who works for the tenant. `manager` is another user; a user who isn't `active` is what others call archived.

    `verified` says that they have shown to receive what is mailed to their address. `keeps_api_keys` is of
    one who isn't active: their API keys count again when they are back.
    """

    personal: UserPersonal | Sealed | Erased
    role: Role
    manager: UUID | None = None
    office: str | None = None
    external_id: str | None = None
    active: bool = True
    verified: bool = False
    keeps_api_keys: bool = False

    @property
    def archived(self) -> bool:
        """Whether the user was deactivated."""
        return not self.active


def evolve(state: User | None, event: UserEvent) -> User | None:
    """The one fold of a user. An event of a user who never was created changes nothing."""
    if isinstance(event, UserCreated):
        return User(**given(event))
    if state is None:
        return None
    match event:
        case UserEdited():
            return structs.replace(state, **given(event))
        case UserEmailVerified():
            return structs.replace(state, verified=True)
        case UserRoleChanged():
            return structs.replace(state, role=event.role)
        case UserDeactivated():
            return structs.replace(state, active=False, keeps_api_keys=event.keeps_api_keys)
        case UserActivated():
            return structs.replace(state, active=True, keeps_api_keys=False)
        case _ as never:
            assert_never(never)
