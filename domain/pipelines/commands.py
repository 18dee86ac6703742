"""What can be asked of a pipeline, and what it decides."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, assert_never
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from domain.kernel import AlreadyExists, Archived, Claim, Command, Invalid, NotFound, Reference, Refused, changes, given
from domain.neighbours import Neighbours, StageKind
from domain.pipelines.events import PipelineArchived, PipelineCreated, PipelineEdited, PipelineEvent, PipelineRestored, Stage
from domain.pipelines.state import Pipeline
from domain.values import ExternalId, Name

Stages = Annotated[tuple[Stage, ...], Meta(min_length=1, max_length=50)]


class DefaultPipelineNeeded(Refused):
    """Each tenant keeps one default pipeline: make another one the default first."""

    code = "default_pipeline_needed"


class CreatePipeline(Command, frozen=True, kw_only=True):
    """Make a pipeline. A stage's id comes from the caller, so that deals can name it at once."""

    PERMISSION: ClassVar[str] = "pipeline:create"
    CREATES: ClassVar[bool] = True
    name: Name
    stages: Stages
    default: bool = False
    external_id: ExternalId | None = None


class EditPipeline(Command, frozen=True, kw_only=True):
    """Rename a pipeline, or give it another list of stages. A stage that deals are in must stay."""

    PERMISSION: ClassVar[str] = "pipeline:update"
    name: Name | UnsetType = UNSET
    stages: Stages | UnsetType = UNSET
    external_id: ExternalId | None | UnsetType = UNSET


class ArchivePipeline(Command, frozen=True, kw_only=True):
    """Take a pipeline out of use."""

    PERMISSION: ClassVar[str] = "pipeline:delete"


class RestorePipeline(Command, frozen=True, kw_only=True):
    """Take an archived pipeline into use again."""

    PERMISSION: ClassVar[str] = "pipeline:delete"


PipelineCommand = CreatePipeline | EditPipeline | ArchivePipeline | RestorePipeline


def references(command: PipelineCommand, state: Pipeline | None) -> Sequence[Reference]:
    """A pipeline refers to nothing else."""
    return ()


def claims(state: Pipeline) -> frozenset[Claim]:
    """The values that no other pipeline of the tenant may hold."""
    held = {Claim("pipeline.default", "")} if state.default else set()
    if state.external_id:
        held.add(Claim("pipeline.external_id", state.external_id))
    return frozenset(held)


def decide(command: PipelineCommand, state: Pipeline | None, neighbours: Neighbours) -> list[PipelineEvent]:
    """What a command makes of a pipeline.

    Raises Invalid, Archived, AlreadyExists, NotFound or DefaultPipelineNeeded.
    """
    if isinstance(command, CreatePipeline):
        if state is not None:
            raise AlreadyExists("This pipeline is there already.")
        _check_stages(command.stages)
        return [PipelineCreated(**given(command))]
    if state is None:
        raise NotFound("There is no such pipeline.")
    match command:
        case EditPipeline():
            return _edit(command, state)
        case ArchivePipeline():
            if state.default and not state.archived:
                raise DefaultPipelineNeeded("The default pipeline can't be archived.")
            return [] if state.archived else [PipelineArchived()]
        case RestorePipeline():
            return [PipelineRestored()] if state.archived else []
        case _ as never:
            assert_never(never)


def _edit(command: EditPipeline, state: Pipeline) -> list[PipelineEvent]:
    if state.archived:
        raise Archived("This pipeline is archived: restore it first.")
    changed = changes(command, state)
    if "stages" in changed:
        _check_stages(changed["stages"])
        _check_kept(state.stages, changed["stages"])
    return [PipelineEdited(**changed)] if changed else []


def _check_kept(old: tuple[Stage, ...], new: tuple[Stage, ...]) -> None:
    """Deals may be in any stage: none vanishes, and none turns from open to closed under its deals."""
    kinds = {stage.id: stage.kind for stage in new}
    for stage in old:
        if kinds.get(stage.id) != stage.kind:
            raise Invalid(
                f"Stage '{stage.name}' must stay, with its kind: deals may be in it.", field="/stages", stage=str(stage.id)
            )


def _check_stages(stages: tuple[Stage, ...]) -> None:
    if len({stage.id for stage in stages}) < len(stages):
        raise Invalid("Each stage needs an id of its own.", field="/stages")
    if len({stage.name.casefold() for stage in stages}) < len(stages):
        raise Invalid("Each stage needs a name of its own.", field="/stages")
    for kind in StageKind:
        if not any(stage.kind == kind for stage in stages):
            raise Invalid(f"A pipeline needs a stage of kind '{kind}'.", field="/stages")


def stages_for_new_tenants(ids: Sequence[UUID]) -> tuple[Stage, ...]:
    """The six stages that a new tenant starts with, under the given ids."""
    rows = (
        ("Lead", 10, StageKind.OPEN),
        ("Qualified", 25, StageKind.OPEN),
        ("Proposal", 50, StageKind.OPEN),
        ("Negotiation", 75, StageKind.OPEN),
        ("Closed Won", 100, StageKind.WON),
        ("Closed Lost", 0, StageKind.LOST),
    )
    return tuple(
        Stage(id=id, name=name, probability=probability, kind=kind)
        for id, (name, probability, kind) in zip(ids, rows, strict=True)
    )
