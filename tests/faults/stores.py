"""Stores that fail when they are told to: a relational read model over a real table, search and audit in memory."""

import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg

from infrastructure.migrate import APP
from projections.changes import Batch
from projections.ports import AuditDocument, AuditQuery, Hit, Rows, SearchDocument, SearchQuery, StoreAway

TABLES = ("heard_first", "heard_second", "heard_third")

_TABLE = """
CREATE TABLE IF NOT EXISTS {0} (
    tenant_id uuid, generation integer, stream text, position bigint, events integer, name text,
    PRIMARY KEY (tenant_id, generation, stream)
);
ALTER TABLE {0} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {0} FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS tenant ON {0};
CREATE POLICY tenant ON {0} USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON {0} TO {1};
"""


def make_tables(owner_url: str) -> None:
    """Makes the tables of the test projections."""
    with psycopg.connect(owner_url) as connection:
        for table in TABLES:
            connection.execute(_TABLE.format(table, APP))


@dataclass
class Whims:
    """How a store behaves: it may be away, break with an error, or take its time; for some tenants or all."""

    away: bool = False
    poison: set[int] = field(default_factory=set)
    """Positions that it can't apply."""
    tenants: set[UUID] | None = None
    """Whose events it fails on; None means everybody's."""
    seconds: float = 0.0
    meanwhile: Callable[[], object] = bool
    """Happens while it is at work."""
    calls: list[tuple[UUID, int, int, int]] = field(default_factory=list)
    """Tenant, generation, after, until of each batch that it was given."""
    times: list[float] = field(default_factory=list)

    def meet(self, tenant: UUID, generation: int, after: int, until: int) -> None:
        self.calls.append((tenant, generation, after, until))
        self.times.append(time.monotonic())
        self.meanwhile()
        time.sleep(self.seconds)
        if self.tenants is not None and tenant not in self.tenants:
            return
        if self.away:
            raise StoreAway("told to be away")
        if any(after < each <= until for each in self.poison):
            raise ValueError("Jane Doe <jane@example.com> can't be applied")


class Heard:
    """A row per stream: its last position, how many events it has, and its name."""

    def __init__(self, table: str) -> None:
        self.name = table
        self.tables: Sequence[str] = (table,)
        self.whims = Whims()

    def project(self, rows: Rows, batch: Batch) -> None:
        for story in batch.stories.values():
            rows.execute(
                f"INSERT INTO {self.name} AS old (tenant_id, generation, stream, position, events, name)"
                " VALUES (%(tenant)s, %(generation)s, %(stream)s, %(position)s, %(events)s, %(name)s)"
                " ON CONFLICT (tenant_id, generation, stream) DO UPDATE SET position = excluded.position,"
                " events = excluded.events, name = excluded.name WHERE old.position < excluded.position",
                {
                    "stream": story.stream,
                    "position": story.position,
                    "events": len(story.events),
                    "name": story.state.name,
                },
            )
        self.whims.meet(rows.tenant, rows.generation, batch.after, batch.until)


class MemoryIndex:
    """projections.ports.SearchIndex; what was written is found after `refresh` alone."""

    def __init__(self) -> None:
        self.whims = Whims()
        self.written: dict[tuple[UUID, int], dict[tuple[str, UUID], SearchDocument]] = {}
        self.findable: dict[UUID, dict[tuple[str, UUID], SearchDocument]] = {}
        self.published: dict[UUID, int] = {}
        self.refreshed = 0
        self.refreshed_entities: list[str] = []
        self.refreshing_takes = 0.0
        self._lock = threading.Lock()

    def write(self, tenant: UUID, generation: int, documents: Sequence[SearchDocument]) -> None:
        positions = [each.position for each in documents]
        with self._lock:
            kept = self.written.setdefault((tenant, generation), {})
            for each in documents:
                old = kept.get((each.entity, each.id))
                if old is None or old.position < each.position:
                    kept[each.entity, each.id] = each
        self.whims.meet(tenant, generation, min(positions) - 1, max(positions))

    def publish(self, tenant: UUID, generation: int) -> None:
        if self.whims.away:
            raise StoreAway("told to be away")
        self.published[tenant] = generation

    def refresh(self, entities: Collection[str]) -> None:
        if self.whims.away:
            raise StoreAway("told to be away")
        self.refreshed += 1
        self.refreshed_entities += sorted(entities)
        with self._lock:
            for tenant, generation in self.published.items():
                written = self.written.get((tenant, generation), {})
                self.findable.setdefault(tenant, {}).update(
                    {key: each for key, each in written.items() if each.entity in entities}
                )
        time.sleep(self.refreshing_takes)

    def search(self, tenant: UUID, query: SearchQuery) -> list[Hit]:
        return []

    def drop(self, tenant: UUID, generation: int) -> None:
        assert self.published.get(tenant) != generation
        self.written.pop((tenant, generation), None)

    def documents(self, tenant: UUID, generation: int, entity: str) -> list[SearchDocument]:
        return sorted(self.written.get((tenant, generation), {}).values(), key=lambda each: each.id)

    def ping(self) -> None:
        """It is always there."""


class MemoryTrail:
    """projections.ports.AuditTrail."""

    def __init__(self) -> None:
        self.whims = Whims()
        self.written: dict[tuple[UUID, int], dict[int, AuditDocument]] = {}

    def write(self, tenant: UUID, generation: int, documents: Sequence[AuditDocument]) -> None:
        for each in documents:
            self.written.setdefault((tenant, generation), {}).setdefault(each.position, each)
        self.whims.meet(tenant, generation, documents[0].position - 1, documents[-1].position)

    def find(self, tenant: UUID, generation: int, query: AuditQuery) -> list[Any]:
        return list(self.written.get((tenant, generation), {}).values())

    def drop(self, tenant: UUID, generation: int) -> None:
        self.written.pop((tenant, generation), None)

    def ping(self) -> None:
        """It is always there."""
