"""Who may do what, and with whose records: THE table. Permissions are `resource:action`; docs/rights.md prints them.

Registering and managing tenants belongs to no role of a tenant: it is the platform's operator's.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

OWNED = ("account", "contact", "deal")
"""Kinds of records that have an owner, and are seen by some for whose they are."""

SHARED = ("product", "pipeline")
"""Kinds of records that are the whole tenant's."""

ATTACHED = ("file",)
"""Kinds that hang on another record: they are seen, changed and archived as that one is."""

RECORDS = (*OWNED, *SHARED, *ATTACHED)


class Role(StrEnum):
    """What a user is in their tenant."""

    VIEWER = "viewer"
    REP = "rep"
    MANAGER = "manager"
    ADMIN = "admin"


class Scope(StrEnum):
    """With whose records a permission goes."""

    ALL = "all"
    TEAM = "team"
    """One's own, those of all users below oneself, and those that nobody owns."""
    OWN = "own"
    SET = "set"
    """All or one's own, as the tenant has set for its viewers."""


class ViewersSee(StrEnum):
    """What a tenant lets its viewers read."""

    ALL = "all"
    OWN = "own"


class Sight(Struct, frozen=True, kw_only=True):
    """Whose records somebody reaches: those of `owners` (None: everybody's), and perhaps those that nobody owns."""

    owners: frozenset[UUID] | None = None
    unowned: bool = False

    def covers(self, owner: UUID | None) -> bool:
        """Whether a record of this owner is within reach."""
        if self.owners is None:
            return True
        return self.unowned if owner is None else owner in self.owners


EVERYTHING = Sight()
NOTHING = Sight(owners=frozenset())

READS: Mapping[Role, Scope] = {
    Role.VIEWER: Scope.SET,
    Role.REP: Scope.OWN,
    Role.MANAGER: Scope.TEAM,
    Role.ADMIN: Scope.ALL,
}
"""Whose records each role sees, of whichever kind and wherever they show."""

_WORKS: Mapping[Role, Scope] = {Role.REP: Scope.OWN, Role.MANAGER: Scope.TEAM, Role.ADMIN: Scope.ALL}
_EVERYBODY: Mapping[Role, Scope] = dict.fromkeys(Role, Scope.ALL)
_WORKERS: Mapping[Role, Scope] = dict.fromkeys(_WORKS, Scope.ALL)
_ADMIN: Mapping[Role, Scope] = {Role.ADMIN: Scope.ALL}


def _rights() -> Iterator[tuple[str, Mapping[Role, Scope]]]:
    for record in OWNED:
        yield f"{record}:read", READS
        # Whose a new record is says its sender; that it is created depends on nobody's being in sight.
        yield f"{record}:create", _WORKERS
        for action in ("update", "delete", "assign"):
            yield f"{record}:{action}", _WORKS
    for record in SHARED:
        yield f"{record}:read", _EVERYBODY
        for action in ("create", "update", "delete", "assign"):
            yield f"{record}:{action}", _WORKERS
    for record in ATTACHED:
        # With which records: those whose own `update` goes with them, too.
        yield f"{record}:read", READS
        for action in ("create", "update", "delete"):
            yield f"{record}:{action}", _WORKS
        yield f"{record}:manage", _ADMIN
    for record in (*OWNED, *SHARED):
        for action in ("import", "export", "manage"):
            yield f"{record}:{action}", _ADMIN
    yield "analytics:read", READS
    yield "audit:read", READS
    yield "user:read", _EVERYBODY
    for action in ("create", "update", "delete", "manage", "audit", "assign", "import", "export"):
        yield f"user:{action}", _ADMIN
    yield "tenant:read", _ADMIN
    yield "tenant:update", _ADMIN


RIGHTS: Mapping[str, Mapping[Role, Scope]] = dict(_rights())
"""Permission → role → scope. A role that isn't named doesn't hold the permission."""

HELD_BY: Mapping[Role, frozenset[str]] = {
    role: frozenset(permission for permission, held in RIGHTS.items() if role in held) for role in Role
}
