"""What can be asked of a pipeline, and what it decides."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, assert_never
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from domain.kernel import AlreadyExists, Archived, Claim, Command, Invalid, NotFound, Reference, Refused, changes, given
from domain.neighbours import Neighbours, StageKind
from domain.pipelines.events import (
    PipelineArchived,
    PipelineCreated,
    PipelineEdited,
    PipelineEvent,
    PipelineRestored,
    Stage,
)
from domain.pipelines.state import Pipeline
from domain.values import ExternalId, Name, Percentage, check_texts

_DEFAULT = Claim("pipeline.default", "")

Colour = Annotated[str, Meta(pattern=r"^#[0-9a-fA-F]{6}$(?!\n)", examples=["#2f855a"])]


class StageDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stage as it is entered. Without an `id` it is a new one, and gets an id before the decision."""

    id: UUID | None = None
    name: Name
    kind: StageKind = StageKind.OPEN
    probability: Percentage
    colour: Colour | None = None


Stages = Annotated[tuple[StageDraft, ...], Meta(min_length=1, max_length=50)]


class DefaultPipelineNeeded(Refused):
    """A tenant keeps its default pipeline: new deals go there."""

    code = "default_pipeline_needed"


class CreatePipeline(Command, frozen=True, kw_only=True):
    """Make a pipeline. Its order is that of its stages; it has one of each kind at least."""

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
    external_id: ExternalId | UnsetType | None = UNSET


class ArchivePipeline(Command, frozen=True, kw_only=True):
    """Take a pipeline out of use."""

    PERMISSION: ClassVar[str] = "pipeline:delete"


class RestorePipeline(Command, frozen=True, kw_only=True):
    """Take an archived pipeline into use again."""

    PERMISSION: ClassVar[str] = "pipeline:delete"


class MakePipelineDefault(Command, frozen=True, kw_only=True):
    """Let new deals go into this pipeline unless they name another; the default one so far is it no more."""

    PERMISSION: ClassVar[str] = "pipeline:update"
    TAKES_OVER: ClassVar[frozenset[str]] = frozenset({_DEFAULT.purpose})


PipelineCommand = CreatePipeline | EditPipeline | ArchivePipeline | RestorePipeline | MakePipelineDefault


def references(_command: PipelineCommand, _state: Pipeline | None) -> Sequence[Reference]:
    """A pipeline refers to nothing else."""
    return ()


def claims(state: Pipeline) -> frozenset[Claim]:
    """The values that no other pipeline of the tenant may hold."""
    held = {_DEFAULT} if state.default else set()
    if state.external_id:
        held.add(Claim("pipeline.external_id", state.external_id))
    return frozenset(held)


def displaced(state: Pipeline, claim: Claim) -> list[PipelineEvent]:
    """What becomes of the pipeline whose claim another one takes over."""
    return [PipelineEdited(default=False)] if claim == _DEFAULT and state.default else []


def decide(command: PipelineCommand, state: Pipeline | None, _neighbours: Neighbours) -> list[PipelineEvent]:
    """What a command makes of a pipeline.

    Raises Invalid, Archived, AlreadyExists, NotFound or DefaultPipelineNeeded.
    """
    check_texts(command)
    if isinstance(command, CreatePipeline):
        if state is not None:
            raise AlreadyExists("This pipeline is there already.")
        return [PipelineCreated(**_settled(command))]
    if state is None:
        raise NotFound("There is no such pipeline.")
    match command:
        case EditPipeline():
            return _edit(command, state)
        case ArchivePipeline():
            if state.default:
                raise DefaultPipelineNeeded("The default pipeline can't be archived.")
            return [] if state.archived else [PipelineArchived()]
        case RestorePipeline():
            return [PipelineRestored()] if state.archived else []
        case MakePipelineDefault():
            return _make_default(state)
        case _ as never:
            assert_never(never)


def _edit(command: EditPipeline, state: Pipeline) -> list[PipelineEvent]:
    if state.archived:
        raise Archived("This pipeline is archived: restore it first.")
    changed = changes(_settled(command), state)
    if "stages" in changed:
        _check_kept(state.stages, changed["stages"])
    return [PipelineEdited(**changed)] if changed else []


def _make_default(state: Pipeline) -> list[PipelineEvent]:
    if state.archived:
        raise Archived("This pipeline is archived: restore it first.")
    return [] if state.default else [PipelineEdited(default=True)]


def _settled(command: CreatePipeline | EditPipeline) -> dict[str, Any]:
    """The fields that a command sets, its drafts checked and made stages."""
    fields = given(command)
    if "stages" in fields:
        fields["stages"] = tuple(_stage(draft, f"/stages/{number}") for number, draft in enumerate(fields["stages"]))
        _check_stages(fields["stages"])
    return fields


def _stage(draft: StageDraft, field: str) -> Stage:
    if draft.id is None:
        raise Invalid("A stage needs an id.", field=f"{field}/id")
    return Stage(id=draft.id, **given(draft, but=("id",)))


def _check_kept(old: tuple[Stage, ...], new: tuple[Stage, ...]) -> None:
    """Deals may be in any stage: none vanishes, and none turns from open to closed under its deals."""
    kinds = {stage.id: stage.kind for stage in new}
    for stage in old:
        if kinds.get(stage.id) != stage.kind:
            raise Invalid(
                f"Stage '{stage.name}' must stay, with its kind: deals may be in it.",
                field="/stages",
                stage=str(stage.id),
            )


def _check_stages(stages: tuple[Stage, ...]) -> None:
    if len({stage.id for stage in stages}) < len(stages):
        raise Invalid("Each stage needs an id of its own.", field="/stages")
    if len({stage.name.casefold() for stage in stages}) < len(stages):
        raise Invalid("Each stage needs a name of its own.", field="/stages")
    for kind in StageKind:
        if not any(stage.kind == kind for stage in stages):
            raise Invalid(f"A pipeline needs a stage of kind '{kind}'.", field="/stages")


def stages_for_new_tenants(ids: Sequence[UUID]) -> tuple[StageDraft, ...]:
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
        StageDraft(id=stage, name=name, probability=probability, kind=kind)
        for stage, (name, probability, kind) in zip(ids, rows, strict=True)
    )
