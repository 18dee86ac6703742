"""The batch runner: records in, hundreds of events per commit out, in memory that doesn't grow with the file."""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from msgspec import structs

from application.importing.batch import Batch
from application.importing.pipelines import prepare_pipeline
from application.importing.problems import Note, Problem, Rejected
from application.importing.reading import Record
from application.importing.results import Fate, Job, Result
from application.importing.rows import EXTERNAL_ID, Row
from application.platform import user_limit
from application.ports import Announcements, Append, Conflict
from application.recording import Metadata, stream_subject

ACTOR = "import"
BATCH = 500
_ATTEMPTS = 4


class Scratch(Protocol):
    """What an import has to remember of each row, kept on disk."""

    def first_rows(self, ids: Sequence[tuple[str, int]]) -> dict[str, int]:
        """Notes in which row an id comes; for each the row in which it came first."""

    def defer(self, rows: Iterable[tuple[int, list[str]]]) -> None:
        """Keeps rows (number, cells) for later."""

    def settle(self, numbers: Iterable[int]) -> None:
        """Forgets deferred rows."""

    def deferred(self, after: int, limit: int) -> list[tuple[int, list[str]]]:
        """Deferred rows behind that number, in their order."""


class Sink(Protocol):
    """Who is told what becomes of the rows."""

    def read(self, rows: int) -> None:
        """So many rows were read."""

    def became(self, fate: Fate, made: Sequence[str]) -> None:
        """A row went in, or was there already; `made` names the entities that were made on the way."""

    def rejected(self, number: int, cells: Sequence[str], problems: Sequence[Problem]) -> None:
        """A row did not go in."""

    def noted(self, number: int, notes: Sequence[Note]) -> None:
        """A row went in otherwise than it says."""


class Import:
    """One run over one file."""

    def __init__(
        self,
        job: Job,
        announcements: Announcements,
        scratch: Scratch,
        sink: Sink,
        *,
        batch: int = BATCH,
        progress: Callable[[], None] = lambda: None,
    ) -> None:
        self._job = job
        self._announcements = announcements
        self._scratch = scratch
        self._sink = sink
        self._size = batch
        self._progress = progress

    def run(self, records: Iterable[Record]) -> None:
        """Imports the records. Raises MapRefused where the map asks for a pipeline that can't be."""
        if self._job.plan.kind.entity == "deal":
            self._job = structs.replace(self._job, circumstances=prepare_pipeline(self._job))
        went_in = 0
        source = iter(records)
        while chunk := list(islice(source, self._size)):
            self._sink.read(len(chunk))
            went_in += self._batch(list(self._rows(chunk)), final=False)
        final = went_in == 0
        while self._scratch.deferred(after=0, limit=1):
            went_in = self._again(final=final)
            final = went_in == 0

    def _again(self, *, final: bool) -> int:
        """Tries the rows again that wait for others; how many went in."""
        went_in, last = 0, 0
        while waiting := self._scratch.deferred(after=last, limit=self._size):
            records = [Record(number=number, cells=cells) for number, cells in waiting]
            went_in += self._batch(list(self._rows(records)), final=final)
            last = waiting[-1][0]
        return went_in

    def _rows(self, records: Iterable[Record]) -> Iterator[Row]:
        """The records that can be read as rows, each id once."""
        now = self._job.clock()
        rows = []
        for record in records:
            try:
                rows.append(self._job.plan.row(record, now))
            except Rejected as error:
                self._reject(record.number, record.cells, error.problems)
        firsts = self._scratch.first_rows([(row.external_id, row.number) for row in rows])
        for row in rows:
            if (first := firsts[row.external_id]) == row.number:
                yield row
                continue
            reason = f"The external id '{row.external_id}' came already in row {first}."
            self._reject(row.number, row.cells, (Problem(code="repeated_id", reason=reason, field=EXTERNAL_ID),))

    def _reject(self, number: int, cells: Sequence[str], problems: Iterable[Problem]) -> None:
        self._sink.rejected(number, cells, [self._job.plan.in_column(each) for each in problems])

    def _batch(self, rows: Sequence[Row], *, final: bool) -> int:
        """Decides rows and stores them together; how many went in. A conflict lets all be decided again."""
        if not rows:
            return 0
        for attempt in range(_ATTEMPTS):
            results = Batch(self._job, rows).decide(final=final)
            try:
                self._append(results)
            except Conflict as error:
                conflict = error
                time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311
                continue
            return self._tell(results)
        return self._apart(rows, conflict, final=final)

    def _apart(self, rows: Sequence[Row], conflict: Conflict, *, final: bool) -> int:
        """Rows that did not go in together: without the one to blame, or by halves."""
        if conflict.row is not None or len(rows) == 1:
            guilty = next((row for row in rows if row.number == conflict.row), rows[0])
            self._scratch.settle((guilty.number,))
            self._reject(guilty.number, guilty.cells, (Problem(code="conflict", reason=f"{conflict}."),))
            return self._batch([row for row in rows if row is not guilty], final=final)
        half = len(rows) // 2
        return self._batch(rows[:half], final=final) + self._batch(rows[half:], final=final)

    def _append(self, results: Sequence[Result]) -> None:
        changes = tuple(change for result in results for change in result.changes)
        if not changes:
            return
        moved = {change.stream for change in changes if change.events}
        guards = {guard.stream: guard for result in results for guard in result.guards if guard.stream not in moved}
        joins = any(result.joins for result in results)
        appended = self._job.store.append(
            self._job.tenant,
            Append(
                metadata=Metadata(actor=ACTOR, correlation=self._job.run),
                changes=changes,
                guards=tuple(guards.values()),
                principals=tuple(each for result in results for each in result.principals),
                most_users=user_limit(self._job.store, self._job.tenant) if joins else None,
            ),
        )
        if moved:
            entities = {stream_subject(stream)[0] for stream in moved}
            self._announcements.appended(self._job.tenant, ACTOR, appended.position, entities)

    def _tell(self, results: Sequence[Result]) -> int:
        """Tells what became of the rows; how many went in."""
        waiting = [result.row for result in results if result.fate is Fate.WAITING]
        self._scratch.settle(result.row.number for result in results if result.fate is not Fate.WAITING)
        self._scratch.defer((row.number, row.cells) for row in waiting)
        for result in results:
            if result.fate is Fate.REJECTED:
                self._sink.rejected(result.row.number, result.row.cells, result.problems)
            elif result.fate is not Fate.WAITING:
                self._sink.became(result.fate, result.made)
            if result.notes:
                self._sink.noted(result.row.number, result.notes)
        self._progress()
        return sum(result.fate in (Fate.CREATED, Fate.CHANGED) for result in results)
