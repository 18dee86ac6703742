"""A batch of rows, decided on what the log says now: what it reads, it reads for all of its rows at once."""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import structs

from application.importing.deciding import Decider, Waiting
from application.importing.identities import Identities
from application.importing.known import Known
from application.importing.problems import Note, Problem, Rejected
from application.importing.refusals import problem_of
from application.importing.results import Fate, Job, Result
from application.importing.rows import Row
from application.recording import stream_name
from domain.kernel import Refused


class Batch:
    """One attempt at some rows."""

    def __init__(self, job: Job, rows: Sequence[Row]) -> None:
        self._job = job
        self._plan = job.plan
        self._rows = rows
        self._known = Known(job.store, job.tenant)
        self._identities = Identities(job.store, job.tenant, job.plan, rows)
        pipeline = job.circumstances.pipeline
        self._pipeline = stream_name("pipeline", pipeline) if pipeline else None
        self._decider = self._read()

    def decide(self, *, final: bool) -> list[Result]:
        """What each row comes to. In the `final` pass nothing that it refers to will come any more."""
        results: dict[int, Result] = {}
        waiting: Sequence[Row] = self._rows
        while waiting:
            results.update({row.number: self._result(row, final=False) for row in waiting})
            still = [row for row in waiting if results[row.number].fate is Fate.WAITING]
            if len(still) == len(waiting):
                break
            waiting = still
        if final:
            results.update({row.number: self._result(row, final=True) for row in waiting})
        return list(results.values())

    def _read(self) -> Decider:
        """One look-up of claims, one of sources, one of streams."""
        self._known.read_holders({claim for row in self._rows for claim in self._identities.claims(row)})
        held = {stream for row in self._rows if (stream := self._known.holder(self._identities.own(row)))}
        sources = self._job.store.sources(self._job.tenant, held)
        decider = Decider(self._job, self._known, self._identities, sources)
        self._known.read_streams({stream for row in self._rows for stream in self._needed(row, decider)})
        return decider

    def _needed(self, row: Row, decider: Decider) -> Iterator[str]:
        """The streams that a row's decision reads; none where nothing changed."""
        stream = decider.stream(row)
        if not decider.changed(row, stream):
            return
        if stream:
            yield stream
        for field in self._plan.references:
            if referred := self._known.holder(self._identities.referred(row, field)):
                yield referred
        if self._pipeline:
            yield self._pipeline

    def _result(self, row: Row, *, final: bool) -> Result:
        try:
            result = self._decider.decide(row, final=final)
        except Waiting:
            self._known.undo()
            return Result(row=row, fate=Fate.WAITING)
        except Rejected as error:
            self._known.undo()
            return self._rejected(row, error.problems)
        except Refused as refused:
            self._known.undo()
            return self._rejected(row, (problem_of(refused, self._plan, row),))
        self._known.keep()
        return structs.replace(result, notes=tuple(map(self._in_column, result.notes)))

    def _rejected(self, row: Row, problems: Iterable[Problem]) -> Result:
        return Result(row=row, fate=Fate.REJECTED, problems=tuple(map(self._plan.in_column, problems)))

    def _in_column(self, note: Note) -> Note:
        return structs.replace(note, column=self._plan.column_of.get(note.field))
