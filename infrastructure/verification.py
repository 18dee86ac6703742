"""Whether a tenant's stored log is what was appended: its hash chain, recomputed from the stored columns.

Written apart from the SQL function that makes the chain, so that each checks the other. Who may rewrite the events
and the head together can rewrite the chain too: that is not found here.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from hashlib import sha256
from struct import Struct as Layout
from typing import NamedTuple
from uuid import UUID

import psycopg
from msgspec import Struct
from psycopg.rows import TupleRow, tuple_row

from infrastructure.postgres import Database
from infrastructure.round_trip import Connection

_PAGE = 500
_FIRST = -(2**63)

_LENGTH = Layout("!I").pack
_INTEGER = Layout("!Ii").pack
_LONG = Layout("!Iq").pack
_INSTANT = Layout("!q").unpack

_HEAD = """
SELECT h.position, h.chain_hash, (SELECT max(e.position) FROM events e WHERE e.tenant_id = %(tenant)s)
FROM (SELECT 1) AS always LEFT JOIN tenant_heads h ON h.tenant_id = %(tenant)s
"""
# Instants as their eight bytes: a Python datetime can't hold all that a column can.
_ROWS = """
SELECT position, stream, version, type, payload, payload_hash, metadata,
       timestamptz_send(occurred_at), timestamptz_send(recorded_at), chain_hash
FROM events WHERE tenant_id = %(tenant)s AND position > %(after)s AND position <= %(until)s
ORDER BY position LIMIT %(limit)s
"""


class Flaw(Struct, frozen=True, kw_only=True):
    """The first position at which a log isn't what was appended, and how it shows."""

    position: int
    reason: str


class Verification(Struct, frozen=True, kw_only=True):
    """What the check of one tenant's log came to: `events` is how many were found right, `head` where it ends."""

    tenant: UUID
    events: int
    head: int
    link: bytes
    flaw: Flaw | None = None


class StoredEvent(NamedTuple):
    """An event's stored columns; instants as the eight bytes that the server sends."""

    position: int
    stream: str
    version: int
    type: str
    payload: bytes
    payload_hash: bytes
    metadata: bytes
    occurred_at: bytes
    recorded_at: bytes
    chain_hash: bytes


class Chain:
    """Follows one tenant's log from its first event on, wherever its stored columns come from."""

    def __init__(self, tenant: UUID) -> None:
        self.position = 0
        self.link = first_link(tenant)
        self._tenant = tenant
        self._recorded = _FIRST

    def follow(self, row: StoredEvent) -> str | None:
        """Goes on to the next event; what is wrong with it, None for a right one."""
        if flaw := _flaw(self._tenant, row, self.position + 1, self.link, self._recorded):
            return flaw
        self.position, self.link, self._recorded = row.position, row.chain_hash, _microseconds(row.recorded_at)
        return None


def tenants_with_a_log(monitor_url: str) -> list[UUID]:
    """All tenants whose log has a head, as the monitor's role sees them. Raises psycopg.OperationalError."""
    with psycopg.connect(monitor_url, connect_timeout=10) as connection:
        return [row[0] for row in connection.execute("SELECT tenant_id FROM tenant_heads ORDER BY tenant_id")]


def verify(database: Database, tenant: UUID, progress: Callable[[int, int], None] | None = None) -> Verification:
    """Checks one tenant's log up to where it ends now, in constant memory.

    `progress` is told how many events of how many are done. Raises StoreAway.
    """
    head, head_link, last = _head(database, tenant)
    chain = Chain(tenant)
    for row in _rows(database, tenant, max(head, last)):
        expected = chain.position + 1
        link = chain.link
        flaw = chain.follow(row)
        if flaw is None and expected > head:
            flaw = f"an event is stored behind the log's head, which is at {head}"
        if flaw is not None:
            return _found(tenant, expected, head, link, flaw)
        if progress and (row.position % _PAGE == 0 or row.position == head):
            progress(row.position, head)
    if chain.position < head:
        reason = f"the log ends before it, but its head is at {head}"
        return _found(tenant, chain.position + 1, head, chain.link, reason)
    if head_link is not None and head_link != chain.link:
        reason = "the head of the log holds another link than its last event makes"
        return _found(tenant, head, head, chain.link, reason)
    return Verification(tenant=tenant, events=head, head=head, link=chain.link)


def first_link(tenant: UUID) -> bytes:
    """What the chain of a tenant begins with."""
    return sha256(tenant.bytes).digest()


def _found(tenant: UUID, position: int, head: int, link: bytes, reason: str) -> Verification:
    flaw = Flaw(position=position, reason=reason)
    return Verification(tenant=tenant, events=max(position - 1, 0), head=head, link=link, flaw=flaw)


def _head(database: Database, tenant: UUID) -> tuple[int, bytes | None, int]:
    """The head's position and link (0 and None without one), and the position of the last event, of one moment."""
    ((position, link, last),) = database.run(partial(_select, sql=_HEAD, values={"tenant": tenant}))
    return position or 0, link, last or 0


def _rows(database: Database, tenant: UUID, until: int) -> Iterator[StoredEvent]:
    """The stored rows in order, a page at a time."""
    after = _FIRST
    while True:
        values = {"tenant": tenant, "after": after, "until": until, "limit": _PAGE}
        page = database.run(partial(_select, sql=_ROWS, values=values))
        yield from map(StoredEvent._make, page)
        if len(page) < _PAGE:
            return
        after = page[-1][0]


def _select(connection: Connection, *, sql: str, values: Mapping[str, object]) -> list[TupleRow]:
    with connection.transaction(), connection.cursor(row_factory=tuple_row, binary=True) as cursor:
        cursor.execute("SELECT use_tenant(%(tenant)s)", values)
        return cursor.execute(sql, values).fetchall()


def _flaw(tenant: UUID, row: StoredEvent, expected: int, previous: bytes, recorded: int) -> str | None:
    """What is wrong with a row at the position where `expected` belongs; None for a right one."""
    if row.position != expected:
        return f"it is missing: the next event found is at {row.position}"
    if None in row:
        return "a part of it was removed"
    if sha256(row.payload).digest() != row.payload_hash:
        return "its payload is not the one that was recorded"
    if _link(tenant, row, previous) != row.chain_hash:
        return "its fields or its place in the log are not those that were recorded"
    if _microseconds(row.recorded_at) < recorded:
        return "it was recorded before the event in front of it"
    return None


def _link(tenant: UUID, row: StoredEvent, previous: bytes) -> bytes:
    """SHA-256 over the previous link and each stored field behind its length (four bytes)."""
    stream, type_ = row.stream.encode(), row.type.encode()
    parts = (
        previous,
        _LENGTH(16) + tenant.bytes,
        _LONG(8, row.position),
        _LENGTH(len(stream)) + stream,
        _INTEGER(4, row.version),
        _LENGTH(len(type_)) + type_,
        _LENGTH(32) + row.payload_hash,
        _LENGTH(len(row.metadata)) + row.metadata,
        _LENGTH(8) + row.occurred_at,
        _LENGTH(8) + row.recorded_at,
    )
    return sha256(b"".join(parts)).digest()


def _microseconds(instant: bytes) -> int:
    """Microseconds since 2000-01-01, as the server sends an instant."""
    return int(_INSTANT(instant)[0])
