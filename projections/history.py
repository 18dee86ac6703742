"""The history of one record: each version with who made it, when, and what became another. Read from the log.

A page folds the record's stream, as each command on the record does, and compares the states of its own versions alone.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from application.catalogue import ENTITIES, Entity
from application.hosts import rooted
from application.ports import EventStore
from application.recording import Recorded, stream_name
from domain.kernel import NotFound
from projections.differences import FieldChange, differences
from projections.pages import Cursors, InvalidSort, Page, PageRequest, Position
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


def history(store: EventStore, viewer: Viewer, entity: str, record: UUID, page: PageRequest) -> Page[Version]:
    """A record's versions, oldest first, for whoever sees its present owner's.

    Raises NotFound, InvalidCursor, InvalidSort or Invalid.
    """
    if page.checked().sort is not None:
        raise InvalidSort("A history has one order: oldest first.", field="/sort")
    cursors = Cursors(viewer.tenant, "history", entity, record)
    behind = cursors.place(page.cursor, (Position,))[0] if page.cursor is not None else 0
    kind, state = ENTITIES[entity], None
    shown: list[Version] = []
    recorded = store.stream(viewer.tenant, stream_name(entity, record))
    for each in recorded:
        before, state = state, kind.evolve(state, each.event)
        if behind < each.version <= behind + page.limit:
            shown.append(_version(each, before, state))
    if state is None or not _sees(store, viewer, kind, state):
        raise NotFound(f"There is no such {entity}.")
    goes_on = bool(shown) and shown[-1].version < recorded[-1].version
    return Page(items=shown, next=cursors.after(shown[-1].version) if goes_on else None)


def _version(recorded: Recorded, before: Any, after: Any) -> Version:
    return Version(
        version=recorded.version,
        position=recorded.position,
        type=recorded.event.TYPE,
        actor=recorded.metadata.actor,
        occurred_at=recorded.occurred_at,
        recorded_at=recorded.recorded_at,
        changed=differences(recorded.event, before, after, personal=True),
    )


def _sees(store: EventStore, viewer: Viewer, kind: Entity, state: Any) -> bool:
    root, its_state = rooted(store, viewer.tenant, kind, state)
    if root is not kind and viewer.kinds is not None and root.name not in viewer.kinds:
        return False
    return root.is_in(viewer.sight, its_state)
