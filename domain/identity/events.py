"""What happens to a user. Passwords and tokens are no part of it: secrets never enter the log."""

from typing import ClassVar
from uuid import UUID

from msgspec import UNSET, UnsetType

from domain.kernel import Erased, Event, Personal, Sealed
from domain.permissions import Role


class UserPersonal(Personal, frozen=True, kw_only=True):
    """All that says who a user is; without an e-mail address nobody can log in as them."""

    first_name: str
    last_name: str
    email: str | None = None
    phone: str | None = None
    time_zone: str = "UTC"
    language: str = "en"


class UserCreated(Event, frozen=True, kw_only=True):
    """A user joined a tenant, active from the start."""

    TYPE: ClassVar[str] = "user.created.v1"
    personal: UserPersonal | Sealed | Erased
    role: Role
    manager: UUID | None = None
    office: str | None = None
    external_id: str | None = None


class UserEdited(Event, frozen=True, kw_only=True):
    """Some fields of a user became others; only those are set, `personal` as a whole.

    `verified` is set, to False, where the address is another one than was verified.
    """

    TYPE: ClassVar[str] = "user.edited.v1"
    personal: UserPersonal | Sealed | Erased | UnsetType = UNSET
    manager: UUID | UnsetType | None = UNSET
    office: str | UnsetType | None = UNSET
    external_id: str | UnsetType | None = UNSET
    verified: bool | UnsetType = UNSET


class UserEmailVerified(Event, frozen=True, kw_only=True):
    """A user showed that they receive what is mailed to their address."""

    TYPE: ClassVar[str] = "user.email_verified.v1"


class UserRoleChanged(Event, frozen=True, kw_only=True):
    """A user may do more or less than before."""

    TYPE: ClassVar[str] = "user.role_changed.v1"
    previous: Role
    role: Role


class UserDeactivated(Event, frozen=True, kw_only=True):
    """A user can't log in any more and is given no more work. Their API keys are gone, unless it `keeps_api_keys`."""

    TYPE: ClassVar[str] = "user.deactivated.v1"
    keeps_api_keys: bool = False


class UserActivated(Event, frozen=True, kw_only=True):
    """A deactivated user is back."""

    TYPE: ClassVar[str] = "user.activated.v1"


UserEvent = UserCreated | UserEdited | UserEmailVerified | UserRoleChanged | UserDeactivated | UserActivated
