"""Who may do what: permissions are `resource:action`, held by roles.

Registering and managing tenants belongs to no role of a tenant: it is the platform's operator's.
"""

from enum import StrEnum

RECORDS = ("account", "contact", "product", "pipeline", "deal")
ACTIONS = ("create", "read", "update", "delete", "assign", "import", "export")


class Role(StrEnum):
    """What a user is in their tenant."""

    VIEWER = "viewer"
    REP = "rep"
    MANAGER = "manager"
    ADMIN = "admin"


_READ = frozenset({f"{record}:read" for record in RECORDS} | {"user:read", "analytics:read", "audit:read"})
_WORK = frozenset(f"{record}:{action}" for record in RECORDS for action in ("create", "update", "delete", "assign"))
_ALL = frozenset(
    {f"{record}:{action}" for record in (*RECORDS, "user") for action in (*ACTIONS, "manage")}
    | {"tenant:read", "tenant:update", "analytics:read", "audit:read"}
)

HELD_BY: dict[Role, frozenset[str]] = {
    Role.VIEWER: _READ,
    Role.REP: _READ | _WORK,
    Role.MANAGER: _READ | _WORK,
    Role.ADMIN: _ALL,
}
