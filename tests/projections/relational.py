"""A tenant for tests of relational read models: events go into its real log, and are projected when asked."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from uuid_utils.compat import uuid7

from application.ports import Append, StreamChange
from application.recording import Metadata, stream_name
from domain.kernel import Event
from domain.neighbours import StageKind
from domain.pipelines.events import PipelineCreated, Stage
from infrastructure.event_store import PostgresEventStore
from infrastructure.postgres import Database
from projections.catalogue import RELATIONAL
from projections.changes import folded
from projections.pages import PageRequest
from projections.targets import GenerationRows
from projections.viewer import Viewer

ACTOR = "user-01920000-0000-7000-8000-00000000000a"


def on(day: str, hour: str = "00:00", zone: str = "UTC") -> datetime:
    """An instant of a day: `on("2017-06-30")`."""
    return datetime.combine(date.fromisoformat(day), time.fromisoformat(hour), ZoneInfo(zone)).astimezone(UTC)


@dataclass
class Tenancy:
    """One tenant. `happens` appends, `project` brings the read models to the log's end in batches of any size."""

    database: Database
    store: PostgresEventStore
    id: UUID = field(default_factory=uuid7)
    generation: int = 1
    versions: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with self.database.transaction(self.id) as transaction:
            for projection in RELATIONAL:
                transaction.execute(
                    "INSERT INTO projection_checkpoints (tenant_id, projection, generation, live)"
                    " VALUES (%(tenant)s, %(name)s, %(generation)s, true)",
                    {"name": projection.name, "generation": self.generation},
                )

    @property
    def viewer(self) -> Viewer:
        """Who sees all of the tenant."""
        return Viewer(tenant=self.id)

    def happens(self, entity: str, id: UUID, *events: Event, at: Sequence[datetime] | datetime | None = None) -> UUID:
        """Appends events of one record, all at one instant or each at its own; the record's id."""
        self.happen([(entity, id, events, at)])
        return id

    def happen(self, changes: Iterable[tuple[str, UUID, Sequence[Event], Any]]) -> None:
        """Appends events of many records at once."""
        made = []
        for entity, id, events, at in changes:
            stream = stream_name(entity, id)
            instants = None if at is None else tuple(at) if isinstance(at, Sequence) else (at,) * len(events)
            expected = self.versions.get(stream, 0)
            made.append(StreamChange(stream=stream, expected=expected, events=tuple(events), occurred_at=instants))
            self.versions[stream] = expected + len(events)
        metadata = Metadata(actor=ACTOR, correlation=uuid7())
        self.store.append(self.id, Append(metadata=metadata, changes=tuple(made)))

    def project(self, *, after: int = 0, until: int | None = None, size: int = 1000) -> None:
        """Projects the log behind a position, in batches of `size` events, each in its transaction."""
        until = self.store.head(self.id) if until is None else until
        while after < until:
            events = self.store.log(self.id, after=after, limit=min(size, until - after))
            batch = folded(self.id, after, events, lambda streams, end: self.store.streams(self.id, streams, until=end))
            with self.database.transaction(self.id) as transaction:
                for projection in RELATIONAL:
                    projection.project(GenerationRows(transaction, self.generation), batch)
            after = batch.until

    def rows(self) -> Mapping[str, list[dict[str, Any]]]:
        """All rows of all relational read models, without order."""
        tables = [table for projection in RELATIONAL for table in projection.tables]
        return {
            table: sorted(
                self.database.read(
                    self.id,
                    f"SELECT * FROM {table} WHERE tenant_id = %(tenant)s AND generation = %(generation)s",
                    {"generation": self.generation},
                ),
                key=repr,
            )
            for table in tables
        }


@dataclass(frozen=True)
class Stages:
    """A pipeline with two open stages, a won and a lost one."""

    pipeline: UUID = field(default_factory=uuid7)
    new: UUID = field(default_factory=uuid7)
    engaging: UUID = field(default_factory=uuid7)
    won: UUID = field(default_factory=uuid7)
    lost: UUID = field(default_factory=uuid7)

    def created(self, name: str = "Sales", *, default: bool = False) -> PipelineCreated:
        """The event that makes it."""
        rows = (
            (self.new, "Prospecting", StageKind.OPEN, 10),
            (self.engaging, "Engaging", StageKind.OPEN, 50),
            (self.won, "Won", StageKind.WON, 100),
            (self.lost, "Lost", StageKind.LOST, 0),
        )
        stages = tuple(Stage(id=id, name=label, kind=kind, probability=percent) for id, label, kind, percent in rows)
        return PipelineCreated(name=name, stages=stages, default=default)


def walk(directory: Any, tenancy: Tenancy, filters: Any, sort: str | None = None, limit: int = 3) -> Iterator[Any]:
    """All rows of a list, page by page."""
    cursor = None
    while True:
        page = directory.page(
            tenancy.database, tenancy.viewer, filters, PageRequest(sort=sort, cursor=cursor, limit=limit)
        )
        assert 0 < len(page.items) <= limit or cursor is None
        yield from page.items
        cursor = page.next
        if cursor is None:
            return
