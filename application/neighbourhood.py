"""What a decision rests on: a record as the log has it, and what the others are that it refers to."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct, structs

from application.catalogue import ENTITIES, Entity
from application.ports import EventStore, Guard
from application.recording import Recorded, stream_name
from domain.kernel import Reference, ReferenceArchived, Refused, UnknownReference
from domain.neighbours import AccountFacts, Facts, Itself, UserFacts

_LONGEST_LINEAGE = 50


class TooDeep(Refused):
    """A hierarchy would get more levels than anybody can follow."""

    code = "hierarchy_too_deep"


class Present(Struct, frozen=True, kw_only=True):
    """A record as the log has it now."""

    state: Any
    version: int
    last: Recorded | None


def present(entity: Entity, events: Sequence[Recorded]) -> Present:
    """The record that these events make."""
    state = None
    for recorded in events:
        state = entity.evolve(state, recorded.event)
    last = events[-1] if events else None
    return Present(state=state, version=last.version if last else 0, last=last)


def neighbourhood(
    store: EventStore,
    tenant: UUID,
    itself: UUID,
    references: Sequence[Reference],
    *,
    sees: Callable[[Entity, Any], bool] = lambda _entity, _state: True,
) -> tuple[dict[UUID, Facts], tuple[Guard, ...]]:
    """The facts of all that a command on the record `itself` refers to, and the guards that its decision needs.

    What the command names must be seen by its sender; what stands above that need not be.
    Raises UnknownReference and ReferenceArchived, which name the field.
    """
    neighbours: dict[UUID, Facts] = {itself: Itself()}
    guards: list[Guard] = []
    wanted = [each for each in references if not (each.lineage and each.id == itself)]
    while wanted:
        streams = store.streams(tenant, {stream_name(each.entity, each.id) for each in wanted})
        ancestors: list[Reference] = []
        for reference in wanted:
            stream = stream_name(reference.entity, reference.id)
            entity = ENTITIES[reference.entity]
            found = present(entity, streams.get(stream, ()))
            hidden = found.state is not None and reference in references and not sees(entity, found.state)
            if found.state is None or hidden or entity.facts is None:
                if reference.optional:
                    continue
                raise UnknownReference(
                    f"There is no {reference.entity} {reference.id}.", field=reference.field, entity=reference.entity
                )
            facts = entity.facts(found.state)
            if facts.archived and not reference.optional:
                raise ReferenceArchived(
                    f"The {reference.entity} {reference.id} is archived.",
                    field=reference.field,
                    entity=reference.entity,
                )
            neighbours[reference.id] = facts
            if reference.guarded:
                guards.append(Guard(stream=stream, version=found.version))
            ancestors.extend(_ancestor(reference, facts, neighbours))
        if len(neighbours) > _LONGEST_LINEAGE + len(references):
            raise TooDeep(f"A hierarchy has at most {_LONGEST_LINEAGE} levels.", field=references[0].field)
        wanted = ancestors
    return neighbours, tuple(guards)


def _ancestor(reference: Reference, facts: Facts, known: dict[UUID, Facts]) -> list[Reference]:
    """The next record up a lineage, unless it was met before."""
    if not reference.lineage or not isinstance(facts, AccountFacts | UserFacts):
        return []
    if facts.parent is None or facts.parent in known:
        return []
    return [structs.replace(reference, id=facts.parent, optional=True)]
