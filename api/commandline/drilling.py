"""`clientforge dr drill`: a recovery is rehearsed, so that it is known to work, and how long it takes."""

import sys
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import typer

from api.commandline.backing_up import Name
from api.commandline.options import DataDir
from api.commandline.signals import end_in_order

if TYPE_CHECKING:
    from infrastructure.backups.drilling import Drilled

_MOST_DIFFERENCES = 20


def drill_command(name: Name = None, data_dir: DataDir = None) -> None:
    """Restore the newest backup aside, make its read models, and compare it with the running system.

    The restored logs must be those that were backed up and that the system still has, link by link; the read models
    must have as many rows as they had. Exit code 1 when anything is different or broken. What was restored is removed
    afterwards. RPO is how much a loss of the database would take now; RTO is how long it took to come back.
    """
    from api.commandline.context import settings
    from api.commandline.shelves import noted, part_by_part, reader, roles, shelves
    from infrastructure.backups.drilling import drill
    from infrastructure.backups.reading import choose
    from infrastructure.backups.scratch_database import scratch_database
    from infrastructure.bootstrap import engine_aside

    found = settings(data_dir)
    data, keys = shelves(found)
    source = roles(found)
    server = found.drill_server_url
    end_in_order()
    with noted(found, "recovery_drill"):
        chosen = choose(data, keys, name)
        with (
            part_by_part("Restoring") as tell,
            scratch_database(None if server is None else server.get_secret_value()) as aside,
        ):
            over = partial(engine_aside, master_key=found.master_key_bytes)
            drilled = drill(chosen, reader(found, tell), source, aside, over, partial(print, file=sys.stderr))
        _tell(drilled, chosen.data.name, chosen.data.taken_at)
        if drilled.differences:
            raise typer.Exit(1)
        chosen.data.note(None)
        chosen.keys.note(None)


def _tell(drilled: "Drilled", name: str, taken_at: datetime) -> None:
    for each in drilled.differences[:_MOST_DIFFERENCES]:
        print(f"DIFFERENT: {each}")
    if len(drilled.differences) > _MOST_DIFFERENCES:
        print(f"DIFFERENT: {len(drilled.differences) - _MOST_DIFFERENCES} more")
    print(f"Restored {name}: {drilled.events:,} events of {drilled.tenants:,} tenants, chains verified")
    print(f"Compared {drilled.compared:,} counts with the source: {len(drilled.differences)} differences")
    print(f"RPO {_rpo(drilled)} (the backup is of {taken_at:%F %T %Z})")
    print(
        f"RTO {drilled.seconds:.1f} s: restored in {drilled.restore_seconds:.1f} s,"
        f" read models made in {drilled.build_seconds:.1f} s"
    )


def _rpo(drilled: "Drilled") -> str:
    loss = drilled.loss
    if loss.first is None:
        return "0 s: a loss now would take no event"
    seconds = (datetime.now(UTC) - loss.first).total_seconds()
    return f"{seconds:,.0f} s: a loss now would take {loss.events:,} events of {loss.tenants:,} tenants"
