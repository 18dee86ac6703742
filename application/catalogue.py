"""THE list of entities. It pins the stored type names, and says what each entity shows to the others."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args
from uuid import UUID

from msgspec import Struct

import domain.deals.commands
import domain.deals.events
import domain.deals.state
import domain.pipelines.commands
import domain.pipelines.events
import domain.pipelines.state
from application.ports import PrincipalChange
from domain.kernel import Claim, Event, Reference
from domain.neighbours import Facts, Neighbours, PipelineFacts, StageFacts
from domain.pipelines.state import Pipeline


class Entity(Struct, frozen=True, kw_only=True):
    """What the generic handler, audit, history and the projections need to know of an entity.

    `state` is its struct, `evolve` its one fold. `facts` is what it shows of itself to decisions of others,
    `principal` what authorisation reads of it.
    """

    name: str
    state: type[Struct]
    events: tuple[type[Event], ...]
    evolve: Callable[[Any, Any], Any]
    decide: Callable[[Any, Any, Neighbours], list[Any]]
    references: Callable[[Any, Any], Iterable[Reference]]
    claims: Callable[[Any], frozenset[Claim]]
    facts: Callable[[Any], Facts] | None = None
    principal: Callable[[UUID, Any], PrincipalChange] | None = None


def _entity(name: str, package: Any, state: type[Struct], union: Any, **others: Any) -> Entity:
    return Entity(
        name=name,
        state=state,
        events=get_args(union),
        evolve=package.state.evolve,
        decide=package.commands.decide,
        references=package.commands.references,
        claims=package.commands.claims,
        **others,
    )


def _pipeline_facts(pipeline: Pipeline) -> PipelineFacts:
    return PipelineFacts(
        archived=pipeline.archived,
        stages=tuple(
            StageFacts(id=stage.id, name=stage.name, kind=stage.kind, probability=stage.probability)
            for stage in pipeline.stages
        ),
    )


ENTITIES: Mapping[str, Entity] = {
    entity.name: entity
    for entity in (
        _entity(
            "pipeline",
            domain.pipelines,
            Pipeline,
            domain.pipelines.events.PipelineEvent,
            facts=_pipeline_facts,
        ),
        _entity("deal", domain.deals, domain.deals.state.Deal, domain.deals.events.DealEvent),
    )
}

EVENT_TYPES: Mapping[str, type[Event]] = {
    each.TYPE: each for entity in ENTITIES.values() for each in entity.events
}
