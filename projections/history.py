"""The history of one record: each version with who made it, when, and what became another. Read from the log."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from application.catalogue import ENTITIES, Entity
from application.hosts import rooted
from application.ports import EventStore
from application.recording import stream_name
from domain.kernel import NotFound
from projections.differences import FieldChange, differences
from projections.pages import Page
from projections.viewer import Viewer


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
    """All versions of a record, oldest first, on one page, for whoever sees its present owner's. Raises NotFound."""
    kind = ENTITIES[entity]
    versions: list[Version] = []
    state: Any = None
    for recorded in store.stream(viewer.tenant, stream_name(entity, record)):
        before, state = state, kind.evolve(state, recorded.event)
        versions.append(
            Version(
                version=recorded.version,
                position=recorded.position,
                type=recorded.event.TYPE,
                actor=recorded.metadata.actor,
                occurred_at=recorded.occurred_at,
                recorded_at=recorded.recorded_at,
                changed=differences(recorded.event, before, state, personal=True),
            )
        )
    if state is None or not _sees(store, viewer, kind, state):
        raise NotFound(f"There is no such {entity}.")
    return Page(items=versions)


def _sees(store: EventStore, viewer: Viewer, kind: Entity, state: Any) -> bool:
    root, its_state = rooted(store, viewer.tenant, kind, state)
    if root is not kind and viewer.kinds is not None and root.name not in viewer.kinds:
        return False
    return root.is_in(viewer.sight, its_state)
