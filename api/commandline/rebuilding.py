"""`clientforge projections rebuild`: fills read models anew from the log, while the old ones go on serving."""

import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from api.commandline.failures import WrongUsage
from api.commandline.options import AllOrOneTenant, DataDir

if TYPE_CHECKING:
    from uuid import UUID

    from api.commandline.progress import Tell
    from infrastructure.bootstrap import Application


def rebuild_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            show_default=False,
            help="Only these projections, or whole groups of them: relational, search, audit.",
        ),
    ] = None,
    tenant: AllOrOneTenant = None,
    afresh: Annotated[
        bool, typer.Option("--afresh", help="Don't go on with a rebuild that was stopped: its folds have changed.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Make read models anew from the log, of one tenant or of all, while commands and queries go on.

    The old generation serves until the new one has caught up, and then all readers change over at once. A rebuild
    that was stopped or killed goes on where it was when it is asked for again.
    """
    from api.commandline.context import ACTOR, application, find
    from api.commandline.progress import progress
    from infrastructure.stopping import stop_signals
    from projections.rebuilding import Rebuilder

    with application(data_dir) as built:
        chosen = _expanded(built, names or [])
        tenants = _with_a_log(built) if tenant is None else [find(built.tenancy, tenant).id]
        with progress("Rebuilding", "events") as tell, stop_signals() as stop:
            stop.also(built.engine.stop)
            failed = Rebuilder(built.engine, lambda: tenants).rebuild(
                chosen, by=ACTOR, afresh=afresh, progress=_Sum(tell).told
            )
    for failure in failed:
        print(f"clientforge: {failure}", file=sys.stderr)
    if failed:
        raise typer.Exit(1)
    print(f"Rebuilt {', '.join(chosen) or 'every projection'} of {len(tenants)} tenant{'s' * (len(tenants) != 1)}.")


def _expanded(built: "Application", names: Sequence[str]) -> list[str]:
    """The projections that are named, or belong to a group that is."""
    groups = {group.name: list(group.names) for group in built.engine.groups.values() if group.rebuilt}
    known = [name for group in groups.values() for name in group]
    chosen = [each for name in names for each in ([name] if name in known else groups.get(name, [name]))]
    if unknown := [name for name in chosen if name not in known]:
        raise WrongUsage(f"There is no projection '{unknown[0]}' to rebuild, but: {', '.join(known)}.")
    return list(dict.fromkeys(chosen))


def _with_a_log(built: "Application") -> list["UUID"]:
    from infrastructure.monitor import Monitor

    url = built.settings.database_monitor_url
    if url is None:
        raise WrongUsage("To find all tenants, this needs DATABASE_MONITOR_URL. Or name one with --tenant.")
    monitor = Monitor.open(url.get_secret_value(), built.engine.groups.values())
    try:
        return monitor.tenants()
    finally:
        monitor.close()


class _Sum:
    """Adds up how far each projection of each tenant is; told by several threads."""

    def __init__(self, tell: "Tell") -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._seen: dict[tuple[UUID, str], tuple[int, int]] = {}

    def told(self, tenant: "UUID", projection: str, position: int, head: int) -> None:
        with self._lock:
            self._seen[tenant, projection] = position, head
            self._tell(sum(done for done, _ in self._seen.values()), sum(of for _, of in self._seen.values()))
