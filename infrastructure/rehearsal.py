"""An event store that forgets: what a dry run appends to, over a real one that it only reads."""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Self
from uuid import UUID

import msgspec

from application.catalogue import EVENT_TYPES
from application.ports import Append, Appended, EventStore, Idempotency, PrincipalChange, StreamChange
from application.recording import Metadata, Recorded
from domain.kernel import Claim
from domain.permissions import Role

_TABLES = """
CREATE TABLE rehearsed (stream TEXT, version INTEGER, type TEXT, payload BLOB, at TEXT, PRIMARY KEY (stream, version));
CREATE TABLE held (purpose TEXT, value TEXT, stream TEXT, PRIMARY KEY (purpose, value));
CREATE TABLE read_from (stream TEXT PRIMARY KEY, fields BLOB);
CREATE TABLE staff (user TEXT PRIMARY KEY, role TEXT, active INTEGER);
"""


class Rehearsal:
    """An EventStore for one writer; what is appended lives in a temporary file until it is closed."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(_TABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forgets what was appended."""
        self._database.close()

    def append(self, tenant: UUID, append: Append) -> Appended:
        """Notes the events, without checking anything."""
        now = datetime.now(UTC)
        self._database.execute("BEGIN")
        for change in append.changes:
            self._note(change, now)
        for principal in append.principals:
            self._note_user(principal)
        self._database.execute("COMMIT")
        versions = {change.stream: change.expected + len(change.events) for change in append.changes}
        return Appended(position=0, versions=versions)

    def stream(self, tenant: UUID, stream: str, *, until: int | None = None, sealed: bool = False) -> list[Recorded]:
        """A stream's events in order."""
        return self.streams(tenant, (stream,), until=until, sealed=sealed).get(stream, [])

    def streams(
        self, tenant: UUID, streams: Collection[str], *, until: int | None = None, sealed: bool = False
    ) -> dict[str, list[Recorded]]:
        """The events of several streams, with those that were appended here."""
        found = self._store.streams(tenant, streams, until=until, sealed=sealed)
        for stream in streams:
            if noted := self._noted(tenant, stream):
                found[stream] = [*found.get(stream, ()), *noted]
        return found

    def holders(self, tenant: UUID, claims: Collection[Claim]) -> dict[Claim, str]:
        """The streams that hold the given values."""
        found = self._store.holders(tenant, claims)
        for claim in claims:
            query = "SELECT stream FROM held WHERE purpose = ? AND value = ?"
            row = self._database.execute(query, (claim.purpose, claim.value)).fetchone()
            if row and row[0] is None:
                found.pop(claim, None)
            elif row:
                found[claim] = row[0]
        return found

    def active_users(self, tenant: UUID) -> dict[UUID, Role]:
        """The tenant's active users with their roles."""
        found = self._store.active_users(tenant)
        for user, role, active in self._database.execute("SELECT user, role, active FROM staff"):
            if active:
                found[UUID(user)] = Role(role)
            else:
                found.pop(UUID(user), None)
        return found

    def sources(self, tenant: UUID, streams: Collection[str]) -> dict[str, Mapping[str, str]]:
        """What each stream's last import row was."""
        found = self._store.sources(tenant, streams)
        for stream in streams:
            row = self._database.execute("SELECT fields FROM read_from WHERE stream = ?", (stream,)).fetchone()
            if row:
                found[stream] = msgspec.json.decode(row[0])
        return found

    def log(self, tenant: UUID, *, after: int, limit: int, sealed: bool = False) -> list[Recorded]:
        """The real log."""
        return self._store.log(tenant, after=after, limit=limit, sealed=sealed)

    def head(self, tenant: UUID) -> int:
        """The real log's position."""
        return self._store.head(tenant)

    def position_at(self, tenant: UUID, instant: datetime) -> int:
        """A position of the real log."""
        return self._store.position_at(tenant, instant)

    def replayed(self, tenant: UUID, actor: str, idempotency: Idempotency) -> Appended | None:
        """The real log's answer."""
        return self._store.replayed(tenant, actor, idempotency)

    def keyed_hash(self, tenant: UUID, values: Sequence[str]) -> list[str]:
        """The real hashes."""
        return self._store.keyed_hash(tenant, values)

    def open_address(self, recorded: Recorded) -> str | None:
        """The client's address of an event."""
        return self._store.open_address(recorded)

    def _note(self, change: StreamChange, now: datetime) -> None:
        for number, event in enumerate(change.events):
            at = change.occurred_at[number] if change.occurred_at else None
            version, payload = change.expected + number + 1, msgspec.json.encode(event)
            values = (change.stream, version, event.TYPE, payload, (at or now).isoformat())
            self._database.execute("INSERT INTO rehearsed VALUES (?, ?, ?, ?, ?)", values)
        claims = [(each, None) for each in change.release] + [(each, change.stream) for each in change.acquire]
        for claim, stream in claims:
            self._database.execute("INSERT OR REPLACE INTO held VALUES (?, ?, ?)", (claim.purpose, claim.value, stream))
        if change.source is not None:
            values_ = (change.stream, msgspec.json.encode(change.source))
            self._database.execute("INSERT OR REPLACE INTO read_from VALUES (?, ?)", values_)

    def _note_user(self, principal: PrincipalChange) -> None:
        values = (str(principal.user), principal.role, principal.active)
        self._database.execute("INSERT OR REPLACE INTO staff VALUES (?, ?, ?)", values)

    def _noted(self, tenant: UUID, stream: str) -> list[Recorded]:
        query = "SELECT version, type, payload, at FROM rehearsed WHERE stream = ? ORDER BY version"
        return [
            Recorded(
                tenant=tenant,
                position=0,
                stream=stream,
                version=version,
                event=msgspec.json.decode(payload, type=EVENT_TYPES[kind]),
                metadata=Metadata(actor="import", correlation=UUID(int=0)),
                occurred_at=datetime.fromisoformat(at),
                recorded_at=datetime.fromisoformat(at),
            )
            for version, kind, payload, at in self._database.execute(query, (stream,))
        ]


class Silence:
    """Announcements that nobody hears: nothing was stored."""

    def appended(self, tenant: UUID, actor: str, position: int, entities: Collection[str]) -> None:
        """Wakes nobody."""
