"""The history of one record: each version with who made it, when, and what became another. Read from the log."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from application.ports import EventStore
from projections.pages import Page
from projections.viewer import Viewer


class FieldChange(Struct, frozen=True, kw_only=True):
    """A field that became another; both values as JSON, None where there was or is none."""

    field: str
    before: Any = None
    after: Any = None


class Version(Struct, frozen=True, kw_only=True):
    """One event of a record, in its place."""

    version: int
    position: int
    type: str
    actor: str
    occurred_at: datetime
    recorded_at: datetime
    changed: list[FieldChange]


def history(store: EventStore, viewer: Viewer, entity: str, record: UUID) -> Page[Version]:
    """All versions of a record, oldest first, on one page. Raises NotFound."""
    raise NotImplementedError
