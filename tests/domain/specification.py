"""Given these events and neighbours, when this command comes, then those events follow, or that refusal."""

import sys
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from application.catalogue import ENTITIES, Entity
from domain.kernel import Command, Event, Refused


def id_of(number: int) -> UUID:
    """An id that a test can name."""
    return UUID(int=0x0192_0000_0000_7000_8000_0000_0000_0000 + number)


def commands_of(entity: Entity) -> list[type[Command]]:
    """All commands of an entity."""
    module = sys.modules[entity.decide.__module__]
    found = [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, Command)]
    return [each for each in found if each.__module__ == module.__name__]


ENTITY_OF: Mapping[type[Command], Entity] = {
    command: entity for entity in ENTITIES.values() for command in commands_of(entity)
}


def fold(entity: Entity, *events: Event) -> Any:
    """The state that these events make."""
    state = None
    for event in events:
        state = entity.evolve(state, event)
    return state


def facts_of(name: str, *events: Event) -> Any:
    """What the record that these events make shows to decisions of others."""
    facts = ENTITIES[name].facts
    assert facts is not None
    return facts(fold(ENTITIES[name], *events))


class Outcome:
    """What a command came to."""

    def __init__(self, events: list[Event], refusal: Refused | None) -> None:
        self.events = events
        self.refusal = refusal

    @property
    def message(self) -> str:
        """What the refusal says."""
        assert self.refusal is not None
        return self.refusal.message

    def then(self, *events: Event) -> None:
        """The command decided exactly these events."""
        assert self.refusal is None, f"refused: {self.refusal!r}"
        assert self.events == list(events)

    def then_nothing(self) -> None:
        """The command changed nothing."""
        self.then()

    def then_one(self) -> Any:
        """The one event that the command decided."""
        assert self.refusal is None, f"refused: {self.refusal!r}"
        (event,) = self.events
        return event

    def then_refused(self, refusal: type[Refused], field: str | None = None) -> None:
        """The command was refused for that reason, at that field."""
        assert type(self.refusal) is refusal, f"{self.refusal!r}, events: {self.events}"
        assert self.refusal.field == field
        assert self.refusal.message


class Given:
    """The history of a record."""

    def __init__(self, events: tuple[Event, ...]) -> None:
        self.events = events

    def when(self, command: Command, neighbours: Mapping[UUID, Any] | None = None) -> Outcome:
        """What the command comes to, with what is known of other records."""
        entity = ENTITY_OF[type(command)]
        state = fold(entity, *self.events)
        try:
            return Outcome(entity.decide(command, state, neighbours or {}), None)
        except Refused as refusal:
            return Outcome([], refusal)


def given(*events: Event) -> Given:
    """A record with these events; none: it isn't there yet."""
    return Given(events)


def references_of(command: Command, *events: Event) -> list[tuple[str, str, UUID]]:
    """Where a command mentions which record: field, entity, id."""
    entity = ENTITY_OF[type(command)]
    return [(each.field, each.entity, each.id) for each in entity.references(command, fold(entity, *events))]
