"""Rebuilds: the next generation is filled from the log while the live one serves, and then takes its place."""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from projections.building import Build, Progress, RebuildFailed
from projections.decisions import UnknownProjection
from projections.engine import Engine
from projections.targets import Group


class Rebuilder:
    """Rebuilds projections of one tenant or of all. Two rebuilds of the same help each other, and do no harm."""

    def __init__(self, engine: Engine, tenants: Callable[[], Sequence[UUID]], *, parallel: int = 4) -> None:
        self._engine = engine
        self._tenants = tenants
        self._parallel = parallel

    def rebuild(
        self,
        names: Collection[str] = (),
        tenant: UUID | None = None,
        *,
        by: str,
        afresh: bool = False,
        progress: Progress = lambda *_: None,
    ) -> list[RebuildFailed]:
        """Rebuilds these projections, or all that may be, of one tenant or of all, several at a time.

        Returns what failed; the rest went on. One that was killed or stopped goes on where it was, unless `afresh`:
        needed when the folds have changed since. Raises UnknownProjection, RebuildStopped, StoreAway.
        """
        builds = [
            Build(self._engine, group, wanted, each, by=by, progress=progress)
            for each in ([tenant] if tenant else self._tenants())
            for group, wanted in self._wanted(names)
        ]
        with ThreadPoolExecutor(self._parallel) as pool:
            runs = [pool.submit(build.run, afresh=afresh) for build in builds]
            return [failure for run in runs for failure in run.result()]

    def _wanted(self, names: Collection[str]) -> list[tuple[Group, list[str]]]:
        groups = [group for group in self._engine.groups.values() if group.rebuilt]
        known = [name for group in groups for name in group.names]
        if unknown := sorted(set(names) - set(known)):
            raise UnknownProjection(f"there is no {', '.join(unknown)} to rebuild, but {', '.join(known)}")
        wanted = [(group, [name for name in group.names if not names or name in names]) for group in groups]
        return [(group, chosen) for group, chosen in wanted if chosen]
