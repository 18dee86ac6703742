"""The rules that take the sight of all users of a tenant: it keeps an active admin, and has no more than it may.

The log holds to them as well, under its lock: two decisions at once may each be right, and wrong together.
"""

from collections.abc import Mapping
from uuid import UUID

from domain.kernel import Refused
from domain.permissions import Role


class LastAdmin(Refused):
    """A tenant keeps an active admin: somebody must be able to let others in."""

    code = "last_admin"

    def __init__(self) -> None:
        super().__init__("This is the last active admin: make somebody else an admin first.")


class TooManyUsers(Refused):
    """A tenant has no more active users than it may have."""

    code = "too_many_users"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"No more than {limit} users may be active: deactivate one first, or have the limit raised.", limit=limit
        )


def check_staff(staff: Mapping[UUID, Role], user: UUID, role: Role | None, limit: int | None) -> None:
    """Refuses a user's new role (None: deactivated) where the active users, `staff`, don't allow for it.

    A tenant that has no admin yet may go on without one, and a `limit` that was lowered below the number of users
    only lets nobody in. Raises LastAdmin or TooManyUsers.
    """
    was = staff.get(user)
    if was == Role.ADMIN and role != Role.ADMIN and list(staff.values()).count(Role.ADMIN) == 1:
        raise LastAdmin
    if was is None and role is not None and limit is not None and len(staff) >= limit:
        raise TooManyUsers(limit)
