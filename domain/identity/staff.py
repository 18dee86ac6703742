"""The rule that takes the sight of all users of a tenant: it keeps an active admin.

The log holds to it as well, under its lock: two decisions at once may each be right, and wrong together.
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


def check_staff(staff: Mapping[UUID, Role], user: UUID, role: Role | None) -> None:
    """Refuses a user's new role (None: deactivated) where the active users, `staff`, don't allow for it.

    A tenant that has no admin yet may go on without one. Raises LastAdmin.
    """
    was = staff.get(user)
    if was == Role.ADMIN and role != Role.ADMIN and list(staff.values()).count(Role.ADMIN) == 1:
        raise LastAdmin
