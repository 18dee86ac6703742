"""Which entries of the audit trail a viewer sees, who doesn't see all: told by the timelines' events and directories.

The trail keeps each event as it was, while who sees a record depends on who owns it today. So the positions are found
here, by the same filters, and the trail gives the documents at them.
"""

from collections.abc import Sequence
from typing import Any

from application.recording import stream_subject
from projections.ownership import shown, shown_to
from projections.ports import AuditQuery, Database
from projections.viewer import Viewer

READ = ("timeline", "accounts", "contacts", "deals", "files")
"""The projections that this depends on."""


def sees_all(viewer: Viewer) -> bool:
    """Whether nothing of the trail is hidden from a viewer."""
    return viewer.owners is None and viewer.kinds is None


def positions(database: Database, viewer: Viewer, query: AuditQuery) -> Sequence[int]:
    """Where the events stand that match and that the viewer sees, newest first, at most as many as the query says."""
    entity, id = stream_subject(query.stream) if query.stream else (query.entity, None)
    asked: dict[str, Any] = {
        "entity": entity,
        "id": id,
        "actor": query.actor,
        "type": query.type,
        "since": query.since,
        "until": query.until,
        "below": query.below,
        "rows": query.limit,
        **shown_to(viewer),
    }
    sql = _ANY if id is None else _OF_ONE_RECORD
    return [row["position"] for row in database.read(viewer.tenant, sql, asked)]


def _positions(events: str) -> str:
    return f"""
SELECT e.position FROM {events}
WHERE e.tenant_id = %(tenant)s AND e.generation = (
    SELECT generation FROM projection_checkpoints WHERE tenant_id = %(tenant)s AND projection = 'timeline' AND live)
  AND (%(entity)s::text IS NULL OR e.entity = %(entity)s)
  AND (%(id)s::uuid IS NULL OR e.id = %(id)s)
  AND (%(actor)s::text IS NULL OR e.actor = %(actor)s)
  AND (%(type)s::text IS NULL OR e.type = %(type)s)
  AND (%(since)s::timestamptz IS NULL OR e.recorded_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR e.recorded_at < %(until)s)
  AND (%(below)s::bigint IS NULL OR e.position < %(below)s)
  AND {shown("e.entity", "e.id")}
ORDER BY e.position DESC
LIMIT %(rows)s
"""  # noqa: S608


_ANY = _positions("timeline_events e")
# A record's own timeline has an index.
_OF_ONE_RECORD = _positions(
    "timelines t JOIN timeline_events e ON t.tenant_id = %(tenant)s AND t.generation = e.generation"
    " AND t.entity = %(entity)s AND t.id = %(id)s AND t.position = e.position"
)
