"""What happens to a pipeline."""

from typing import ClassVar
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from domain.kernel import Event
from domain.neighbours import StageKind


class Stage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A step of a pipeline. Its place in the pipeline's list is its order; `probability` is a percentage."""

    id: UUID
    name: str
    kind: StageKind = StageKind.OPEN
    probability: int
    colour: str | None = None


class PipelineCreated(Event, frozen=True, kw_only=True):
    """A pipeline was made, with its stages."""

    TYPE: ClassVar[str] = "pipeline.created.v1"
    name: str
    stages: tuple[Stage, ...]
    default: bool = False
    external_id: str | None = None


class PipelineEdited(Event, frozen=True, kw_only=True):
    """A pipeline's name or stages became others, or it became or ceased to be the default one.

    `stages` is the whole new list.
    """

    TYPE: ClassVar[str] = "pipeline.edited.v1"
    name: str | UnsetType = UNSET
    stages: tuple[Stage, ...] | UnsetType = UNSET
    default: bool | UnsetType = UNSET
    external_id: str | UnsetType | None = UNSET


class PipelineArchived(Event, frozen=True, kw_only=True):
    """A pipeline takes no more deals."""

    TYPE: ClassVar[str] = "pipeline.archived.v1"


class PipelineRestored(Event, frozen=True, kw_only=True):
    """An archived pipeline is in use again."""

    TYPE: ClassVar[str] = "pipeline.restored.v1"


PipelineEvent = PipelineCreated | PipelineEdited | PipelineArchived | PipelineRestored
