"""Pipelines and their stages, to get and to list. Stage labels in analytics come from here."""

from uuid import UUID

from msgspec import Struct

from domain.neighbours import StageKind
from projections.directories import ARCHIVED, Column, Directory, Record, row_of, sort_key


class StageRow(Struct, frozen=True, kw_only=True):
    """A stage of a pipeline; `probability` is a percentage."""

    id: UUID
    name: str
    kind: StageKind
    probability: int
    colour: str | None = None


class PipelineRow(Record, frozen=True, kw_only=True):
    """A pipeline as it is read, its stages in their order."""

    name: str
    default: bool = False
    stages: tuple[StageRow, ...] = ()
    external_id: str | None = None


class PipelineFilter(Struct, frozen=True, kw_only=True):
    """Which pipelines to list; None matches all."""

    archived: bool | None = False


PIPELINES = Directory(
    name="pipelines",
    entity="pipeline",
    row=PipelineRow,
    filters=PipelineFilter,
    fold=lambda story: row_of(story, PipelineRow),
    columns={
        "name": Column("text"),
        "name_key": Column("text", lambda row: sort_key(row.name)),
        "is_default": Column("boolean", lambda row: row.default),
    },
    conditions={"archived": ARCHIVED},
    sorts={"name": "name_key", "created_at": "created_at", "updated_at": "updated_at"},
    order="name",
)
