"""A stand for tests of the engine: real log and checkpoints, three relational projections, search and audit."""

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from application.ports import Append, StreamChange
from application.recording import Metadata, stream_name
from domain.deals.events import DealEdited, DealOpened
from infrastructure.event_store import PostgresEventStore
from infrastructure.postgres import Database, is_passing
from projections.catalogue import groups
from projections.decisions import Decisions
from projections.engine import Engine
from projections.setbacks import Pace, Parked
from projections.status import ProjectionStatus, status
from tests.faults.stores import TABLES, Heard, MemoryIndex, MemoryTrail
from tests.fixtures import event_store

GROUPS = ("relational", "search", "audit")
QUICK = Pace(batch=100, retry_base=0.05, retry_limit=2)


@dataclass
class Stand:
    """An engine of its own over a shared database. `again()` is the same after a restart of the process."""

    app_url: str
    pace: Pace = QUICK
    index: MemoryIndex = field(default_factory=MemoryIndex)
    trail: MemoryTrail = field(default_factory=MemoryTrail)
    heard: list[Heard] = field(default_factory=lambda: [Heard(table) for table in TABLES])
    parked: list[Parked] = field(default_factory=list)
    woken: list[tuple[str, UUID]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.database = Database(self.app_url, connections=8, prepare_threshold=2)
        self.pool = Database(self.app_url, connections=8, prepare_threshold=2)
        self.store: PostgresEventStore = event_store(self.database)
        self.engine = self._engine()

    def _engine(self) -> Engine:
        return Engine(
            self.pool,
            self.store,
            groups(self.database, self.index, self.trail, self.heard),
            is_away=is_passing,
            on_parked=self.parked.append,
            pace=self.pace,
        )

    @property
    def decisions(self) -> Decisions:
        return Decisions(self.engine, lambda group, tenant: self.woken.append((group, tenant)))

    def again(self) -> "Stand":
        return Stand(self.app_url, self.pace, self.index, self.trail, self.heard)

    def close(self) -> None:
        self.engine.stop()
        self.database.close()
        self.pool.close()

    def open(self, tenant: UUID, count: int = 1, *, name: str = "a deal", **circumstances: Any) -> list[str]:
        """Opens deals, in one append, whose metadata has these circumstances; their streams."""
        opened = DealOpened(name=name, pipeline=uuid7(), stage=uuid7(), probability=10)
        streams = [stream_name("deal", uuid7()) for _ in range(count)]
        changes = (StreamChange(stream=stream, expected=0, events=(opened,)) for stream in streams)
        self._append(tenant, *changes, **circumstances)
        return streams

    def edit(self, tenant: UUID, stream: str, version: int, *, name: str = "renamed") -> int:
        """Edits a deal that is at `version`; the event's position."""
        return self._append(tenant, StreamChange(stream=stream, expected=version, events=(DealEdited(name=name),)))

    def _append(self, tenant: UUID, *changes: StreamChange, **circumstances: Any) -> int:
        metadata = Metadata(**{"actor": "cli", "correlation": uuid7(), **circumstances})
        return self.store.append(tenant, Append(metadata=metadata, changes=changes)).position

    def drain(self, tenant: UUID, *names: str) -> None:
        for group in names or GROUPS:
            while not self.engine.drain(group, tenant):
                pass

    def status(self, tenant: UUID) -> dict[str, ProjectionStatus]:
        return {each.projection: each for each in status(self.database, self.engine.groups.values(), tenant)}

    def positions(self, tenant: UUID) -> dict[str, int]:
        return {name: each.position for name, each in self.status(tenant).items()}

    def rows(self, tenant: UUID, table: str = TABLES[0], generation: int | None = None) -> list[tuple[Any, ...]]:
        """The rows of a table without their generation, of the live one unless told."""
        found = self.database.read(
            tenant,
            f"SELECT stream, position, events, name FROM {table} WHERE tenant_id = %(tenant)s AND generation ="
            " coalesce(%(generation)s, (SELECT generation FROM projection_checkpoints"
            " WHERE tenant_id = %(tenant)s AND projection = %(table)s AND live)) ORDER BY stream",
            {"generation": generation, "table": table},
        )
        return [tuple(row.values()) for row in found]

    def generations(self, tenant: UUID, table: str = TABLES[0]) -> list[int]:
        """Which generations a table holds."""
        found = self.database.read(
            tenant, f"SELECT DISTINCT generation FROM {table} WHERE tenant_id = %(tenant)s ORDER BY 1"
        )
        return [row["generation"] for row in found]

    def failures(self, tenant: UUID) -> list[dict[str, Any]]:
        return self.database.read(
            tenant, "SELECT * FROM projection_failures WHERE tenant_id = %(tenant)s ORDER BY failed_at"
        )


def eventually(check: Callable[[], object], within: float = 10.0) -> bool:
    """Waits until `check()` is true."""
    end = time.monotonic() + within
    for number in itertools.count():
        if check():
            return True
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.005 if number < 20 else 0.02)
    return False


class Background:
    """Runs something in a thread; leaving waits for it and raises what it raised."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> threading.Thread:
        self._thread.start()
        return self._thread

    def __exit__(self, *_: object) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive()
        if self._error:
            raise self._error

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:
            self._error = error
