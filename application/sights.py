"""How far one user's permissions reach: the table of rights, with the team that they have now."""

from collections.abc import Callable
from functools import cached_property
from uuid import UUID

from domain.permissions import EVERYTHING, NOTHING, READS, RECORDS, RIGHTS, Role, Scope, Sight, ViewersSee


class Sights:
    """A user's sights for one request.

    `team` reads the users below them, transitively; it is asked at most once, and only where it matters.
    `permissions` may be fewer than the role's.
    """

    def __init__(
        self,
        *,
        user: UUID,
        role: Role,
        permissions: frozenset[str],
        viewers_see: ViewersSee,
        team: Callable[[], frozenset[UUID]],
    ) -> None:
        self._user = user
        self._role = role
        self._permissions = permissions
        self._viewers_see = viewers_see
        self._read_team = team

    @property
    def reading(self) -> Sight:
        """Whose records the user sees."""
        return self._sight(READS[self._role])

    @property
    def kinds(self) -> frozenset[str] | None:
        """The kinds of records of which the user sees what happened; None: all, and what happens to access, too."""
        seen = frozenset(each for each in RECORDS if f"{each}:read" in self._permissions)
        if "user:audit" not in self._permissions:
            return seen
        return None if seen == frozenset(RECORDS) else seen | {"user", "access"}

    def of(self, permission: str) -> Sight:
        """With whose records the user may do what the permission says."""
        scope = RIGHTS[permission].get(self._role)
        return NOTHING if scope is None or permission not in self._permissions else self._sight(scope)

    def _sight(self, scope: Scope) -> Sight:
        if scope is Scope.SET:
            scope = Scope.ALL if self._viewers_see is ViewersSee.ALL else Scope.OWN
        match scope:
            case Scope.ALL:
                return EVERYTHING
            case Scope.TEAM:
                return Sight(owners=self._team | {self._user}, unowned=True)
            case _:
                return Sight(owners=frozenset({self._user}))

    @cached_property
    def _team(self) -> frozenset[UUID]:
        return self._read_team()
