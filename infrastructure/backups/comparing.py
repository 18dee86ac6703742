"""A backup beside the database that it was taken of: whether that is the same log, and what it has had since."""

from datetime import datetime
from typing import LiteralString
from uuid import UUID

import msgspec
import psycopg
from msgspec import Struct

from infrastructure.backups.manifest import Head, Manifest
from infrastructure.backups.snapshot import Roles
from infrastructure.postgres import Database
from projections.ports import StoreAway

_PREFIX: LiteralString = """
SELECT (SELECT count(*) FROM events WHERE tenant_id = %(tenant)s AND position <= %(position)s) AS events,
       (SELECT encode(chain_hash, 'hex') FROM events WHERE tenant_id = %(tenant)s AND position = %(position)s) AS link,
       (SELECT recorded_at FROM events WHERE tenant_id = %(tenant)s AND position = %(position)s + 1) AS next
"""


class Loss(Struct, frozen=True, kw_only=True):
    """What a loss of the source at this moment would take: events, of how many tenants, the first recorded when."""

    events: int = 0
    tenants: int = 0
    first: datetime | None = None


class _Prefix(Struct, frozen=True, kw_only=True):
    """A log up to a position: how many events it has, its last link, and when the event behind it was recorded."""

    events: int
    link: str | None
    next: datetime | None


def compare(source: Roles, manifest: Manifest) -> tuple[Loss, list[str]]:
    """What the source has that the backup hasn't, and where it is another log up to there. Raises StoreAway."""
    now = _positions(source.monitor)
    lost: list[tuple[int, datetime | None]] = []
    differences: list[str] = []
    database = Database(source.app)
    try:
        for tenant in dict.fromkeys((*manifest.heads, *now)):
            head = manifest.heads.get(tenant, Head(position=0, link=""))
            found = _prefix(database, tenant, head.position)
            if found.events != head.position or (head.position and found.link != head.link):
                differences.append(f"{tenant}: up to {head.position}, the source has another log than the backup")
            elif (more := now.get(tenant, 0) - head.position) > 0:
                lost.append((more, found.next))
    finally:
        database.close()
    first = min((moment for _, moment in lost if moment is not None), default=None)
    return Loss(events=sum(events for events, _ in lost), tenants=len(lost), first=first), differences


def _prefix(database: Database, tenant: UUID, position: int) -> _Prefix:
    (row,) = database.read(tenant, _PREFIX, {"position": position})
    return msgspec.convert(row, _Prefix)


def _positions(monitor_url: str) -> dict[UUID, int]:
    try:
        with psycopg.connect(monitor_url, connect_timeout=10) as connection:
            rows = connection.execute("SELECT tenant_id, position FROM tenant_heads WHERE position > 0")
            return dict(rows.fetchall())
    except psycopg.OperationalError as error:
        raise StoreAway(f"PostgreSQL: {error}") from error
