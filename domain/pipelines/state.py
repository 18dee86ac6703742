"""A pipeline as its events leave it."""

from typing import assert_never

from msgspec import Struct, structs

from domain.kernel import given
from domain.pipelines.events import (
    PipelineArchived,
    PipelineCreated,
    PipelineEdited,
    PipelineEvent,
    PipelineRestored,
    Stage,
)


class Pipeline(Struct, frozen=True, kw_only=True):
    """The stages that a deal passes through, in their order."""

    name: str
    stages: tuple[Stage, ...]
    default: bool = False
    external_id: str | None = None
    archived: bool = False


def evolve(state: Pipeline | None, event: PipelineEvent) -> Pipeline | None:
    """The one fold of a pipeline. An event of a pipeline that never was made changes nothing."""
    if isinstance(event, PipelineCreated):
        return Pipeline(**given(event))
    if state is None:
        return None
    match event:
        case PipelineEdited():
            return structs.replace(state, **given(event))
        case PipelineArchived():
            return structs.replace(state, archived=True)
        case PipelineRestored():
            return structs.replace(state, archived=False)
        case _ as never:
            assert_never(never)
