"""Makes the read models of a restored log: the workers' work, without waiting for wake-ups."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import LiteralString
from uuid import UUID

from infrastructure.postgres import Database
from projections.engine import Engine

_STOPPED: LiteralString = """
SELECT c.projection, c.position, (
    SELECT f.error FROM projection_failures f
    WHERE f.tenant_id = c.tenant_id AND f.projection = c.projection ORDER BY f.failed_at DESC LIMIT 1) AS error
FROM projection_checkpoints c JOIN tenant_heads h ON h.tenant_id = c.tenant_id
WHERE c.tenant_id = %(tenant)s AND c.live AND c.position < h.position
"""


def fill(engine: Engine, tenants: Iterable[UUID], *, parallel: int = 4) -> None:
    """Brings all projections of these tenants to the end of the log, or to what they can't apply. Raises StoreAway."""

    def one(tenant: UUID) -> None:
        for group in engine.groups:
            while not engine.stopped and not engine.drain(group, tenant):
                pass

    with ThreadPoolExecutor(parallel) as pool:
        for _ in pool.map(one, tenants):
            pass


def stopped(database: Database, tenants: Iterable[UUID]) -> Iterator[str]:
    """Projections that could not be brought to the end of the log. Raises StoreAway."""
    for tenant in tenants:
        for row in database.read(tenant, _STOPPED):
            why = f": {row['error']}" if row["error"] else ""
            yield f"{tenant}: {row['projection']} stopped at {row['position']}{why}"
