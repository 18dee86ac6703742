"""The steps of a row, decided one after another: the events, when they happened, and what they depend on."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from msgspec import Struct

from application.catalogue import ENTITIES
from application.handling import Decision, decided, taken
from application.importing.kinds import Step
from application.importing.known import Known
from application.importing.problems import Note
from application.neighbourhood import Present, neighbourhood
from application.ports import ClaimConflict, EventStore, Guard
from domain.kernel import Event


class Stepped(Struct, frozen=True, kw_only=True):
    """A decision, and which of its dates are not those of the row."""

    decision: Decision
    notes: tuple[Note, ...]


def step_through(known: Known, tenant: UUID, entity: str, id: UUID, now: Present, steps: Sequence[Step]) -> Stepped:
    """What the steps come to on that state. Raises a Refused.

    No event happens before the one in front of it: a date that would is that event's, and noted.
    """
    described = ENTITIES[entity]
    store = cast(EventStore, known)  # all that is asked of it are streams
    state: Any = now.state
    events: list[Event] = []
    guards: dict[str, Guard] = {}
    clock = _Clock(now)
    for step in steps:
        references = tuple(described.references(step.command, state))
        neighbours, needed = neighbourhood(store, tenant, id, references)
        guards |= {guard.stream: guard for guard in needed}
        made = described.decide(step.command, state, neighbours)
        for event in made:
            state = described.evolve(state, event)
        events += made
        clock.pass_(step, len(made))
    decision = decided(
        described, id, now, tuple(events), tuple(guards.values()), occurred_at=tuple(clock.times) if events else None
    )
    for claim in decision.change.acquire:
        holder = known.holder((claim,))
        if holder is not None and holder != decision.change.stream:
            raise taken(ClaimConflict(claim, holder), steps[0].command)
    return Stepped(decision=decision, notes=tuple(clock.notes))


class _Clock:
    """When the events of a row happened; `last` is None once one happened at the time of import."""

    def __init__(self, now: Present) -> None:
        self.times: list[datetime | None] = []
        self.notes: list[Note] = []
        self._last = now.last.occurred_at if now.last else None
        self._is_now = False

    def pass_(self, step: Step, events: int) -> None:
        """Takes in the events of a step."""
        at = step.at
        if at is not None and events and (self._is_now or (self._last is not None and at < self._last)):
            if step.field:
                reason = f"{at:%Y-%m-%d} lies before what happened last to the record: recorded as of then."
                self.notes.append(Note(field=step.field, reason=reason))
            at = None if self._is_now else self._last
        if events:
            self._is_now = at is None
            self._last = at or self._last
        self.times += [at] * events
