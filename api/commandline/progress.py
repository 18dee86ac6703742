"""How far a long command is: a bar on a terminal, a line now and then elsewhere; on stderr, apart from results."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Tell = Callable[[int, int | None], None]
"""Tells how much is done, and of how much (None: nobody knows)."""

_SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def progress(label: str, unit: str) -> Iterator[Tell]:
    """Shows how many `unit` (in the plural) are done under `label`."""
    if sys.stderr.isatty():
        with _bar(label, unit) as tell:
            yield tell
        return
    lines = _Lines(label, unit)
    yield lines.tell
    lines.finish()


@contextmanager
def _bar(label: str, unit: str) -> Iterator[Tell]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class _Lines:
    def __init__(self, label: str, unit: str) -> None:
        self._label = label
        self._unit = unit
        self._next = time.monotonic() + _SECONDS_BETWEEN_LINES
        self._last: str | None = None
        self._told: str | None = None

    def tell(self, done: int, total: int | None) -> None:
        of = "" if total is None else f" of {total:,}"
        self._last = f"{self._label}: {done:,}{of} {self._unit}"
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _SECONDS_BETWEEN_LINES
            self.finish()

    def finish(self) -> None:
        """Says the last state, unless it was said."""
        if self._last is not None and self._last != self._told:
            print(self._last, file=sys.stderr, flush=True)
            self._told = self._last
