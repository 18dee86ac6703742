"""The timeline of any record: its own events, and those of the records that belong to it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from application.catalogue import is_journal
from domain.kernel import NotFound
from projections.changes import Batch, Change
from projections.differences import FieldChange, differences
from projections.ownership import shown, shown_to
from projections.pages import Cursors, InvalidSort, Page, PageRequest, Position
from projections.ports import Database, Rows
from projections.viewer import Viewer

_BELONGS_TO: Mapping[str, Callable[[Any], set[tuple[str, UUID | None]]]] = {
    "account": lambda account: {("account", account.parent)},
    "contact": lambda contact: {("account", contact.account)},
    "file": lambda file: {(file.entity, file.record)},
    "deal": lambda deal: {("account", deal.account), *(("contact", each.contact) for each in deal.contacts)},
}


class Happening(Struct, frozen=True, kw_only=True):
    """An event on a timeline. `entity` and `id` are the record that it happened to; personal values are left out."""

    position: int
    entity: str
    id: UUID
    type: str
    actor: str
    occurred_at: datetime
    recorded_at: datetime
    changed: list[FieldChange] = []


class Timeline:
    """The projection: each event once, and on whose timelines it shows. An event's position is its version."""

    name = "timeline"
    tables: Sequence[str] = ("timeline_events", "timelines")

    def project(self, rows: Rows, batch: Batch) -> None:
        """Adds the batch's events; those that are there stay as they are. Journals are the audit's alone."""
        told = [change for change in batch.changes if not is_journal(change.recorded.stream)]
        if not told:
            return
        happenings = [_happening(change) for change in told]
        columns = {name: [getattr(each, name) for each in happenings] for name in Happening.__struct_fields__}
        columns["changed"] = [msgspec.json.encode(each.changed).decode() for each in happenings]
        rows.execute(_ADD_EVENTS, columns)
        shown = [(*about, change.recorded.position) for change in told for about in _shown_on(change)]
        entities, ids, positions = zip(*shown, strict=True)
        rows.execute(_ADD_PLACES, {"entity": list(entities), "id": list(ids), "position": list(positions)})


def _happening(change: Change) -> Happening:
    recorded = change.recorded
    return Happening(
        position=recorded.position,
        entity=recorded.entity,
        id=recorded.id,
        type=recorded.event.TYPE,
        actor=recorded.metadata.actor,
        occurred_at=recorded.occurred_at,
        recorded_at=recorded.recorded_at,
        changed=differences(recorded.event, change.before, change.after, personal=False),
    )


def _shown_on(change: Change) -> set[tuple[str, UUID]]:
    """The record itself, and those that it belonged to before or belongs to after the event."""
    belongs_to = _BELONGS_TO.get(change.recorded.entity, lambda _: set())
    others = {other for state in (change.before, change.after) if state is not None for other in belongs_to(state)}
    return {(change.recorded.entity, change.recorded.id)} | {(entity, id) for entity, id in others if id is not None}


def timeline(database: Database, viewer: Viewer, entity: str, record: UUID, page: PageRequest) -> Page[Happening]:
    """What happened to a record and around it, newest first. Raises NotFound, InvalidCursor, InvalidSort or Invalid."""
    if page.checked().sort is not None:
        raise InvalidSort("A timeline has one order: newest first.", field="/sort")
    cursors = Cursors(viewer.tenant, "timeline", entity, record)
    found = database.read(
        viewer.tenant,
        _TIMELINE,
        {
            "entity": entity,
            "id": record,
            "below": cursors.place(page.cursor, (Position,))[0] if page.cursor is not None else None,
            **shown_to(viewer),
            "rows": page.limit + 1,
        },
    )
    if not found and page.cursor is None:
        raise NotFound(f"There is no such {entity}.")
    items = [msgspec.convert(row, Happening) for row in found[: page.limit]]
    return Page(items=items, next=cursors.after(items[-1].position) if len(found) > page.limit else None)


_ADD_EVENTS = """
INSERT INTO timeline_events (
    tenant_id, generation, position, entity, id, type, actor, occurred_at, recorded_at, changed
)
SELECT %(tenant)s, %(generation)s, u.*
FROM unnest(
    %(position)b::bigint[], %(entity)b::text[], %(id)b::uuid[], %(type)b::text[], %(actor)b::text[],
    %(occurred_at)b::timestamptz[], %(recorded_at)b::timestamptz[], %(changed)b::text[]::jsonb[]
) AS u
ON CONFLICT DO NOTHING
"""

_ADD_PLACES = """
INSERT INTO timelines (tenant_id, generation, entity, id, position)
SELECT %(tenant)s, %(generation)s, u.* FROM unnest(%(entity)b::text[], %(id)b::uuid[], %(position)b::bigint[]) AS u
ON CONFLICT DO NOTHING
"""

# The record itself must be the viewer's to see, and of what happened around it they see that of such records alone.
_TIMELINE = f"""
SELECT e.position, e.entity, e.id, e.type, e.actor, e.occurred_at, e.recorded_at, e.changed
FROM timelines t
JOIN timeline_events e ON e.tenant_id = %(tenant)s AND e.generation = t.generation AND e.position = t.position
WHERE t.tenant_id = %(tenant)s AND t.entity = %(entity)s AND t.id = %(id)s AND t.generation = (
    SELECT generation FROM projection_checkpoints WHERE tenant_id = %(tenant)s AND projection = 'timeline' AND live)
  AND (%(below)s::bigint IS NULL OR t.position < %(below)s)
  AND {shown("%(entity)s::text", "%(id)s::uuid")}
  AND {shown("e.entity", "e.id")}
ORDER BY t.position DESC
LIMIT %(rows)s
"""  # noqa: S608
