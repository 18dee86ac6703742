"""`clientforge queue`: how the projectors' queue is, and its dead letters."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from api.commandline.failures import WrongUsage
from api.commandline.options import DataDir

if TYPE_CHECKING:
    from pathlib import Path

    from infrastructure.queue_health import Queue, QueueFigures

_SHOWN = 10


def health_command(data_dir: DataDir = None) -> None:
    """Show the queue's figures. Exit code 1 with any dead letter, with more than 50 failed or 1,000 waiting messages,
    or when no worker takes any.
    """
    queue = _queue(data_dir)
    figures = queue.figures()
    for name, value in _figures(figures):
        print(f"{name:<14} {value}")
    for letter in queue.dead_letters(_SHOWN):
        since = datetime.fromtimestamp(letter.since, UTC)
        print(f"  dead since {since:%Y-%m-%d %H:%M:%S}Z: {letter.actor}({', '.join(map(str, letter.arguments))})")
    if figures.problems:
        print(f"clientforge: the queue is not healthy: {'; '.join(figures.problems)}.", file=sys.stderr)
        raise typer.Exit(1)
    print("The queue is healthy.")


def _figures(figures: "QueueFigures") -> list[tuple[str, str]]:
    swept = "never" if figures.swept_seconds is None else f"ran {figures.swept_seconds:.1f} s ago"
    return [
        ("waiting", f"{figures.waiting:,} (the first for {figures.oldest_seconds:.1f} s)"),
        ("in progress", f"{figures.in_progress:,}"),
        ("failed", f"{figures.delayed:,} (wait for their next try)"),
        ("dead letters", f"{figures.dead:,}"),
        ("workers", f"{figures.workers:,}"),
        ("sweeper", swept),
    ]


def clear_command(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False, data_dir: DataDir = None
) -> None:
    """Delete all dead letters, for good. What is parked stays parked: see `projections retry` and `skip`."""
    queue = _queue(data_dir)
    dead = queue.figures().dead
    if dead and not yes:
        if not sys.stdin.isatty():
            raise WrongUsage(f"This deletes {dead} dead letters for good. Where nobody can be asked, say --yes.")
        typer.confirm(f"Delete {dead} dead letters for good?", abort=True, err=True)
    print(f"Deleted {queue.clear_dead_letters() if dead else 0} dead letters.")


def _queue(data_dir: "Path | None") -> "Queue":
    from api.commandline.context import settings
    from infrastructure.queue_health import Queue
    from infrastructure.redis import connect

    found = settings(data_dir)
    return Queue(connect(found.redis_url.get_secret_value()), prefix=found.redis_prefix)
