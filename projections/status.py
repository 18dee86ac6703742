"""Where the projections of a tenant stand, for people and for metrics."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from projections.failures import Failure
from projections.ports import Database
from projections.targets import Group

_STATUS = """
SELECT p.name AS projection, p.group_name AS group, coalesce(c.generation, 1) AS generation,
       coalesce(c.position, 0) AS position, coalesce(h.position, 0) AS head,
       coalesce(extract(epoch FROM statement_timestamp() - e.recorded_at), 0)::float AS lag_seconds,
       coalesce(c.attempts, 0) AS attempts, c.failure, c.retry_at, c.parked_at, f.error
FROM unnest(%(names)s::text[], %(groups)s::text[]) WITH ORDINALITY AS p (name, group_name, number)
LEFT JOIN tenant_heads h ON h.tenant_id = %(tenant)s
LEFT JOIN projection_checkpoints c ON c.tenant_id = %(tenant)s AND c.projection = p.name AND c.live
LEFT JOIN events e ON e.tenant_id = %(tenant)s AND e.position = coalesce(c.position, 0) + 1
LEFT JOIN projection_failures f ON f.tenant_id = %(tenant)s AND f.projection = p.name AND f.resolved_at IS NULL
    AND f.generation = c.generation AND f.position = c.position + 1
ORDER BY p.number
"""


class ProjectionStatus(Struct, frozen=True, kw_only=True):
    """One projection of one tenant. `lag_seconds` is how long the first event that it lacks has been recorded;
    `failure` says why it stands still, where it does, and `error` why it is parked."""

    projection: str
    group: str
    generation: int
    position: int
    head: int
    lag_seconds: float
    attempts: int = 0
    failure: Failure | None = None
    retry_at: datetime | None = None
    parked_at: datetime | None = None
    error: str | None = None

    @property
    def lag_events(self) -> int:
        """How many events it lacks."""
        return self.head - self.position


def status(database: Database, groups: Iterable[Group], tenant: UUID) -> list[ProjectionStatus]:
    """The live generation of each projection, in the catalogue's order."""
    named = [(name, group.name) for group in groups for name in group.names]
    rows = database.read(
        tenant, _STATUS, {"names": [name for name, _ in named], "groups": [group for _, group in named]}
    )
    return [msgspec.convert(row, ProjectionStatus) for row in rows]
