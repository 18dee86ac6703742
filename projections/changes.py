"""A batch of the log as projections see it: each event with its entity before and after.

The states come from the one fold of each entity (`evolve`); no projection folds an entity a second time.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from application.catalogue import evolved, is_journal
from application.recording import Recorded

Prior = Callable[[Sequence[str], int], Mapping[str, Sequence[Recorded]]]
"""Reads the events of the named streams up to and including a position."""


class Change(Struct, frozen=True, kw_only=True):
    """An event, and the state of its entity on both sides of it; None before the first."""

    recorded: Recorded
    before: Any
    after: Any


class Story(Struct, frozen=True, kw_only=True):
    """All events of one touched stream up to the batch's end (of a journal: the batch's own), and their state."""

    stream: str
    events: Sequence[Recorded]
    state: Any

    @property
    def entity(self) -> str:
        """The kind of record."""
        return self.events[0].entity

    @property
    def id(self) -> UUID:
        """The record's id."""
        return self.events[0].id

    @property
    def position(self) -> int:
        """The log's position of its last event: an external version for stores that need one."""
        return self.events[-1].position

    def last(self, *types: type) -> Recorded | None:
        """The last event of these types, or None."""
        return next((each for each in reversed(self.events) if isinstance(each.event, types)), None)


class Batch(Struct, frozen=True, kw_only=True):
    """Consecutive events of one tenant's log, in order, behind position `after`, up to `until`."""

    tenant: UUID
    after: int
    until: int
    changes: Sequence[Change]
    stories: Mapping[str, Story]

    def of(self, entity: str) -> list[Story]:
        """The touched streams of one entity."""
        return [story for story in self.stories.values() if story.entity == entity]


def folded(tenant: UUID, after: int, events: Sequence[Recorded], prior: Prior) -> Batch:
    """The batch that these events make. Streams that were there before are read once, all together."""
    touched: dict[str, list[Recorded]] = {}
    for recorded in events:
        touched.setdefault(recorded.stream, []).append(recorded)
    old = [stream for stream, new in touched.items() if new[0].version > 1 and not is_journal(stream)]
    history = prior(old, after) if old else {}
    states = {stream: _state(history.get(stream, ())) for stream in touched}
    changes = []
    for recorded in events:
        before = states[recorded.stream]
        after_it = evolved(recorded.entity, before, recorded.event)
        states[recorded.stream] = after_it
        changes.append(Change(recorded=recorded, before=before, after=after_it))
    stories = {
        stream: Story(stream=stream, events=[*history.get(stream, ()), *new], state=states[stream])
        for stream, new in touched.items()
    }
    return Batch(
        tenant=tenant,
        after=after,
        until=events[-1].position if events else after,
        changes=changes,
        stories=stories,
    )


def _state(events: Sequence[Recorded]) -> Any:
    state = None
    for recorded in events:
        state = evolved(recorded.entity, state, recorded.event)
    return state
