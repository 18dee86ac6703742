"""The timeline of any record: its own events, and those of the records that belong to it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from projections.pages import Page, PageRequest
from projections.ports import Database
from projections.viewer import Viewer


class Happening(Struct, frozen=True, kw_only=True):
    """An event on a timeline. `entity` and `id` are the record that it happened to; personal values are left out."""

    position: int
    entity: str
    id: UUID
    type: str
    actor: str
    occurred_at: datetime
    recorded_at: datetime
    changed: list[Any] = []


def timeline(database: Database, viewer: Viewer, entity: str, record: UUID, page: PageRequest) -> Page[Happening]:
    """What happened to a record and around it, newest first. Raises NotFound, InvalidCursor, InvalidSort or Invalid."""
    raise NotImplementedError
