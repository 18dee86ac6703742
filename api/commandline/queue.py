"""`clientforge queue`: how the queues are, and their dead letters."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from api.commandline.failures import WrongUsage
from api.commandline.options import DataDir

if TYPE_CHECKING:
    from pathlib import Path

    from infrastructure.bootstrap import Application
    from infrastructure.queue_health import DeadLetter, QueueFigures, Queues

_SHOWN = 10


def health_command(data_dir: DataDir = None) -> None:
    """Show each queue's figures. Exit code 1 with any dead letter, with more than 50 failed or 1,000 waiting messages,
    or when no worker takes any.
    """
    queues = _queues(data_dir)
    health = queues.health()
    for queue in health.queues:
        _table(queue.queue, _figures(queue))
    swept = "never" if health.swept_seconds is None else f"ran {health.swept_seconds:.1f} s ago"
    _table("processes", [("workers", f"{health.workers:,}"), ("sweeper", swept)])
    if health.dead:
        _tell(queues.dead_letters(_SHOWN))
    if health.problems:
        print(f"clientforge: the queue is not healthy: {'; '.join(health.problems)}.", file=sys.stderr)
        raise typer.Exit(1)
    print("The queue is healthy.")


def list_command(
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="So many of each queue at most.")] = 100,
    data_dir: DataDir = None,
) -> None:
    """Show the dead letters: what was to be done, and since when nobody tries any more."""
    letters = _queues(data_dir).dead_letters(limit)
    _tell(letters)
    if not letters:
        print("There are no dead letters.")


def retry_command(data_dir: DataDir = None) -> None:
    """Do what the dead letters were about once more: parked projections try again, other messages go back to their
    queue.
    """
    from api.commandline.context import application

    with application(data_dir) as built:
        queues = _queues_of(built)
        letters = queues.dead_letters(sys.maxsize)
        again = [letter for letter in letters if _tried_again(built, queues, letter)]
    print(f"{len(again)} of {len(letters)} dead letters are tried again.")


def clear_command(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False, data_dir: DataDir = None
) -> None:
    """Delete all dead letters, for good. No change of any record is lost by that, for the log has it; mails that could
    not be sent are given up. What is parked stays parked: see `projections retry` and `skip`.
    """
    queues = _queues(data_dir)
    dead = queues.health().dead
    if dead and not yes:
        if not sys.stdin.isatty():
            raise WrongUsage(f"This deletes {dead} dead letters for good. Where nobody can be asked, say --yes.")
        typer.confirm(f"Delete {dead} dead letters for good?", abort=True, err=True)
    print(f"Deleted {queues.clear_dead_letters() if dead else 0} dead letters.")


def _figures(queue: "QueueFigures") -> list[tuple[str, str]]:
    return [
        ("waiting", f"{queue.waiting:,} (the first for {queue.oldest_seconds:.1f} s)"),
        ("in progress", f"{queue.in_progress:,}"),
        ("failed", f"{queue.delayed:,} (wait for their next try)"),
        ("dead letters", f"{queue.dead:,}"),
    ]


def _table(title: str, rows: Sequence[tuple[str, str]]) -> None:
    print(title)
    for name, value in rows:
        print(f"  {name:<14} {value}")


def _tell(letters: "Sequence[DeadLetter]") -> None:
    for letter in letters:
        since = datetime.fromtimestamp(letter.since, UTC)
        told = f"{letter.actor}({', '.join(map(str, letter.arguments))})"
        print(f"  {letter.queue}: dead since {since:%Y-%m-%d %H:%M:%S}Z: {told}")


def _tried_again(built: "Application", queues: "Queues", letter: "DeadLetter") -> bool:
    """A parked projection is freed, rather than told of once more; whether there was anything to try."""
    from uuid import UUID

    from api.commandline.context import ACTOR
    from infrastructure.wakeups import PARKED
    from projections.decisions import Decisions, NotStandingStill, UnknownProjection

    if letter.actor != PARKED:
        return queues.try_again(letter)
    tenant, projection = letter.arguments[:2]
    decisions = Decisions(built.engine, lambda group, tenant: built.announcements.wake([(group, tenant)]))
    try:
        decisions.retry(UUID(tenant), projection, by=ACTOR, reason="queue retry-dlq")
        again = True
    except (NotStandingStill, UnknownProjection):
        again = False  # somebody has decided meanwhile: the letter is of no use any more
    queues.forget([letter])
    return again


def _queues(data_dir: "Path | None") -> "Queues":
    from api.commandline.context import settings
    from infrastructure.queue_health import Queues
    from infrastructure.redis import connect_once

    found = settings(data_dir)
    return Queues(connect_once(found.redis_url.get_secret_value()), prefix=found.redis_prefix)


def _queues_of(built: "Application") -> "Queues":
    from infrastructure.queue_health import Queues

    return Queues(built.redis, prefix=built.settings.redis_prefix)
