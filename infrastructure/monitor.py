"""What sees all tenants: which logs there are, whose projections are behind, and since when. It sees nothing else."""

from collections.abc import Iterable
from typing import Any, Self
from uuid import UUID

from msgspec import Struct

from infrastructure.postgres import Database
from projections.targets import Group

_BEHIND = """
FROM tenant_heads h
CROSS JOIN unnest(%(names)s::text[], %(groups)s::text[]) AS p (name, group_name)
LEFT JOIN projection_checkpoints c ON c.tenant_id = h.tenant_id AND c.projection = p.name AND c.live
WHERE h.position > 0 AND (c.tenant_id IS NULL OR c.position < h.position OR NOT c.published)
"""

_DUE = f"""
SELECT DISTINCT p.group_name, h.tenant_id {_BEHIND}
    AND c.parked_at IS NULL AND (c.retry_at IS NULL OR c.retry_at <= statement_timestamp())
"""

_LAGS = f"""
SELECT p.name AS projection, count(*)::integer AS tenants, sum(h.position - coalesce(c.position, 0))::bigint AS events,
       count(c.parked_at)::integer AS parked, count(c.retry_at)::integer AS waiting,
       coalesce(max(extract(epoch FROM statement_timestamp() - coalesce(
           (SELECT e.recorded_at FROM events e
            WHERE e.tenant_id = h.tenant_id AND e.position = coalesce(c.position, 0) + 1), h.recorded_at)))
           FILTER (WHERE c.parked_at IS NULL), 0)::float AS seconds
{_BEHIND} GROUP BY p.name
"""  # noqa: S608


class Lag(Struct, frozen=True, kw_only=True):
    """How far a projection is behind: in how many tenants, by how many events in all; how many of these tenants'
    projections are parked or wait for their next try; and how long the oldest event that one lacks which isn't parked
    has been recorded."""

    projection: str
    tenants: int = 0
    events: int = 0
    parked: int = 0
    waiting: int = 0
    seconds: float = 0.0


class Monitor:
    """The monitor's role over its own database pool."""

    def __init__(self, database: Database, groups: Iterable[Group]) -> None:
        self._database = database
        named = [(name, group.name) for group in groups for name in group.names]
        self._parameters = {"names": [name for name, _ in named], "groups": [group for _, group in named]}

    @classmethod
    def open(cls, dsn: str, groups: Iterable[Group]) -> Self:
        """A monitor with a small pool of its own; `dsn` is of the monitor's role."""
        return cls(Database(dsn, connections=2), groups)

    def tenants(self) -> list[UUID]:
        """All tenants with a log."""
        rows = self._rows("SELECT tenant_id FROM tenant_heads WHERE position > 0 ORDER BY tenant_id")
        return [row["tenant_id"] for row in rows]

    def due(self) -> list[tuple[str, UUID]]:
        """Which groups of which tenants have something to do, now."""
        return [(row["group_name"], row["tenant_id"]) for row in self._rows(_DUE)]

    def lags(self) -> list[Lag]:
        """How far each projection is behind, in the catalogue's order."""
        found = {row["projection"]: Lag(**row) for row in self._rows(_LAGS)}
        return [found.get(name, Lag(projection=name)) for name in self._parameters["names"]]

    def close(self) -> None:
        """Closes its connections."""
        self._database.close()

    def _rows(self, sql: str) -> list[dict[str, Any]]:
        return self._database.run(lambda connection: connection.execute(sql, self._parameters).fetchall())
