"""What happens to a user's access: a journal of facts beside the user's own record, one stream per user.

None of it holds a password, a token or an address that was tried. The client's address is in the metadata, sealed.
A failed log-in is told of the user whom it was tried for, who is its actor too: nobody else is known.
`missed` counts the events of the same kind that were left out since the one before: a user's hour has a limit.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from domain.kernel import Event


class LoggedIn(Event, frozen=True, kw_only=True):
    """A user logged in with their password."""

    TYPE: ClassVar[str] = "access.logged_in.v1"
    session: UUID
    missed: int = 0


class LogInsFailed(Event, frozen=True, kw_only=True):
    """Log-ins failed, fewer than lock the account; told when they are over, all at once."""

    TYPE: ClassVar[str] = "access.log_ins_failed.v1"
    count: int


class Locked(Event, frozen=True, kw_only=True):
    """So many log-ins failed that no password counts for some seconds, not even the right one."""

    TYPE: ClassVar[str] = "access.locked.v1"
    failures: int
    seconds: int


class Unlocked(Event, frozen=True, kw_only=True):
    """An admin ended a lock before its time."""

    TYPE: ClassVar[str] = "access.unlocked.v1"


class PasswordSet(Event, frozen=True, kw_only=True):
    """A user has another password, and their sessions are over; the actor is who set it."""

    TYPE: ClassVar[str] = "access.password_set.v1"


class PasswordReset(Event, frozen=True, kw_only=True):
    """A user chose another password by a link that was mailed to them; their sessions and a lock are over."""

    TYPE: ClassVar[str] = "access.password_reset.v1"


class Invited(Event, frozen=True, kw_only=True):
    """An admin, or the sign-up of the tenant, had a link mailed to a user by which they choose their first password."""

    TYPE: ClassVar[str] = "access.invited.v1"


class InvitationAccepted(Event, frozen=True, kw_only=True):
    """A user chose their first password by the link of their invitation."""

    TYPE: ClassVar[str] = "access.invitation_accepted.v1"


class SessionEnded(Event, frozen=True, kw_only=True):
    """One session ended by logging out or from the list of sessions."""

    TYPE: ClassVar[str] = "access.session_ended.v1"
    session: UUID
    missed: int = 0


class SessionsEnded(Event, frozen=True, kw_only=True):
    """An admin ended all sessions of a user."""

    TYPE: ClassVar[str] = "access.sessions_ended.v1"


class RefreshTokenReused(Event, frozen=True, kw_only=True):
    """A refresh token came back that had been used up: somebody has a copy, so its session ended."""

    TYPE: ClassVar[str] = "access.refresh_token_reused.v1"
    session: UUID
    missed: int = 0


class RequestForbidden(Event, frozen=True, kw_only=True):
    """A user asked for what their role may not do; `operation` is its name in the API's description."""

    TYPE: ClassVar[str] = "access.request_forbidden.v1"
    operation: str
    missed: int = 0


class ApiKeyMade(Event, frozen=True, kw_only=True):
    """A user made an API key; without scopes it may do all that they may."""

    TYPE: ClassVar[str] = "access.api_key_made.v1"
    key: UUID
    name: str
    scopes: tuple[str, ...] | None = None
    expires_at: datetime | None = None
    rate_limits: Mapping[str, str] = {}
    missed: int = 0


class ApiKeyEdited(Event, frozen=True, kw_only=True):
    """A user changed how often an API key may ask: its limits by kind of operation, as they are now."""

    TYPE: ClassVar[str] = "access.api_key_edited.v1"
    key: UUID
    rate_limits: Mapping[str, str] = {}
    missed: int = 0


class ApiKeyUsed(Event, frozen=True, kw_only=True):
    """An API key was used, for the first time in an hour."""

    TYPE: ClassVar[str] = "access.api_key_used.v1"
    key: UUID
    missed: int = 0


class ApiKeyEnded(Event, frozen=True, kw_only=True):
    """A user ended an API key."""

    TYPE: ClassVar[str] = "access.api_key_ended.v1"
    key: UUID
    missed: int = 0


class ApiKeysRevoked(Event, frozen=True, kw_only=True):
    """API keys of a user ended by another hand than theirs, or with their password or sessions; the actor is whose."""

    TYPE: ClassVar[str] = "access.api_keys_revoked.v1"
    keys: tuple[UUID, ...]


class SecondFactorEnabled(Event, frozen=True, kw_only=True):
    """A user set a second factor up: logging in takes a code of it from now on, and their other sessions are over."""

    TYPE: ClassVar[str] = "access.second_factor_enabled.v1"
    missed: int = 0


class SecondFactorDisabled(Event, frozen=True, kw_only=True):
    """A user turned their second factor off, with their password and a code."""

    TYPE: ClassVar[str] = "access.second_factor_disabled.v1"
    missed: int = 0


class SecondFactorReset(Event, frozen=True, kw_only=True):
    """An admin or the operator took a user's second factor away; the actor is who did it."""

    TYPE: ClassVar[str] = "access.second_factor_reset.v1"


class RecoveryCodeUsed(Event, frozen=True, kw_only=True):
    """A recovery code stood in for a user's second factor; `left` counts those that still can."""

    TYPE: ClassVar[str] = "access.recovery_code_used.v1"
    left: int
    missed: int = 0


AccessEvent = (
    LoggedIn
    | LogInsFailed
    | Locked
    | Unlocked
    | PasswordSet
    | PasswordReset
    | Invited
    | InvitationAccepted
    | SessionEnded
    | SessionsEnded
    | RefreshTokenReused
    | RequestForbidden
    | ApiKeyMade
    | ApiKeyEdited
    | ApiKeyUsed
    | ApiKeyEnded
    | ApiKeysRevoked
    | SecondFactorEnabled
    | SecondFactorDisabled
    | SecondFactorReset
    | RecoveryCodeUsed
)
