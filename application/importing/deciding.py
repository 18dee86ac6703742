"""What one row comes to: what it refers to is found or made, what changed of it becomes commands and events."""

from collections.abc import Mapping
from typing import Any

from msgspec import structs

from application.importing.identities import Identities
from application.importing.kinds import Circumstances, Steps
from application.importing.known import Known
from application.importing.problems import Problem, Rejected
from application.importing.results import Fate, Job, Result
from application.importing.rows import EXTERNAL_ID, Row
from application.importing.stepping import Stepped, step_through
from application.recording import stream_name, stream_subject
from domain.kernel import Refused

Sources = Mapping[str, Mapping[str, str]]


class Waiting(Exception):
    """A row refers to a record of its own kind that may come later in the file."""


class Decider:
    """Decides rows one after another; what one of them decided, the next ones know."""

    def __init__(self, job: Job, known: Known, identities: Identities, sources: Sources) -> None:
        self._job = job
        self._plan = job.plan
        self._kind = job.plan.kind
        self._known = known
        self._identities = identities
        self._sources = sources
        self._now = job.clock()

    def stream(self, row: Row) -> str | None:
        """The stream of the row's record, None where it isn't there yet."""
        return self._known.holder(self._identities.own(row))

    def changed(self, row: Row, stream: str | None) -> frozenset[str]:
        """The fields whose source is another one than at the last import; of a new record all."""
        if stream is None:
            return frozenset(self._plan.columns)
        before, now = self._sources.get(stream, {}), self._identities.sources(row)
        return frozenset(field for field in self._plan.columns if before.get(field) != now.get(field))

    def decide(self, row: Row, *, final: bool) -> Result:
        """What a row comes to. Raises Waiting (unless `final`), Rejected, or a Refused."""
        stream = self.stream(row)
        changed = self.changed(row, stream)
        if not changed and not row.problems:
            return Result(row=row, fate=Fate.UNCHANGED)
        values, made, problems = self._resolved(row, changed, final=final)
        try:
            steps = self._steps(row, stream, values, changed)
        except Rejected as error:
            blamed = {each.field for each in problems}
            raise Rejected([*problems, *(each for each in error.problems if each.field not in blamed)]) from None
        if problems:
            raise Rejected(problems)
        fate = Fate.CHANGED if stream else Fate.CREATED
        stream = stream or self._new_stream(self._kind.entity)
        stepped = self._step(stream, steps, self._source(row, stream))
        return self._outcome(row, fate, steps, stepped, made)

    def _outcome(self, row: Row, fate: Fate, steps: Steps, stepped: Stepped, made: list[Stepped]) -> Result:
        decisions = [*(each.decision for each in made), stepped.decision]
        return Result(
            row=row,
            fate=fate if stepped.decision.change.events else Fate.UNCHANGED,
            changes=tuple(structs.replace(each.change, row=row.number) for each in decisions),
            guards=tuple(guard for each in decisions for guard in each.guards),
            principals=tuple(each.principal for each in decisions if each.principal),
            joins=any(each.joins for each in decisions),
            notes=(*steps.notes, *stepped.notes),
            made=tuple(stream_subject(each.decision.change.stream)[0] for each in made),
        )

    def _resolved(
        self, row: Row, changed: frozenset[str], *, final: bool
    ) -> tuple[dict[str, Any], list[Stepped], list[Problem]]:
        """The row's values with ids for what changed references name; what was made for them; what is wrong so far."""
        values, made, problems = dict(row.values), [], list(row.problems)
        for field in self._plan.references:
            claims = self._identities.referred(row, field)
            values[field] = None
            if not claims or field not in changed:
                continue
            stream = self._known.holder(claims)
            if stream is None and set(claims).intersection(self._identities.own(row)):
                problems.append(
                    Problem(code="hierarchy_cycle", reason="A record can't stand above itself.", field=field)
                )
            elif stream is None and not final and self._plan.columns[field].field.entity == self._kind.entity:
                raise Waiting
            elif stream is None and field in self._plan.made:
                made.append(self._make(row, field))
                stream = made[-1].decision.change.stream
            elif stream is None:
                problems.append(self._unknown(row, field))
            if stream is not None:
                values[field] = stream_subject(stream)[1]
        return values, made, problems

    def _unknown(self, row: Row, field: str) -> Problem:
        entity = self._plan.columns[field].field.entity
        reason = f"There is no {entity} with the external id '{row.values[field]}'."
        return Problem(code="unknown_reference", reason=reason, field=field)

    def _make(self, row: Row, field: str) -> Stepped:
        """The record that a field refers to, made because the map asks for it."""
        made = self._plan.made[field]
        try:
            values = {**made.values(row, self._now), EXTERNAL_ID: self._identities.made_id(row, field)}
            steps = made.kind.create(values, Circumstances())
            return self._step(self._new_stream(made.kind.entity), steps, None)
        except (Rejected, Refused) as error:
            reason = f"The {made.kind.entity} '{row.values[field]}' is missing, and can't be made: {error}"
            raise Rejected((Problem(code="unknown_reference", reason=reason, field=field),)) from error

    def _new_stream(self, entity: str) -> str:
        stream = stream_name(entity, self._job.new_id())
        self._known.begin(stream)
        return stream

    def _steps(self, row: Row, stream: str | None, values: Mapping[str, Any], changed: frozenset[str]) -> Steps:
        """The commands that the row comes to. Raises Rejected."""
        if stream is None:
            return self._kind.create({**values, EXTERNAL_ID: self._identities.own_id(row)}, self._job.circumstances)
        now = self._known.present(stream)
        circumstances = structs.replace(
            self._job.circumstances,
            last=now.last.occurred_at if now.last else None,
            had=frozenset(self._sources.get(stream, ())),
        )
        return self._kind.change(values, changed, now.state, circumstances)

    def _step(self, stream: str, steps: Steps, source: Mapping[str, str] | None) -> Stepped:
        entity, id = stream_subject(stream)
        now = self._known.present(stream)
        stepped = step_through(self._known, self._job.tenant, entity, id, now, steps.steps)
        if stepped.decision.principal:
            self._known.add_user(stepped.decision.principal)
        change = structs.replace(stepped.decision.change, source=source)
        self._known.add(change, self._now)
        return structs.replace(stepped, decision=structs.replace(stepped.decision, change=change))

    def _source(self, row: Row, stream: str) -> Mapping[str, str]:
        """What the row's record was read from, fields that other maps filled included."""
        others = self._sources.get(stream, {})
        kept = {field: source for field, source in others.items() if field not in self._plan.columns}
        return {**kept, **self._identities.sources(row)}
