"""Imports of texts into a tenant, as tests write them."""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from uuid_utils.compat import uuid7

from application.catalogue import ENTITIES
from application.handling import Handler, Sender
from application.importing.catalogue import KINDS
from application.importing.mapping import read_map
from application.importing.planning import plan
from application.importing.problems import Note, Problem
from application.importing.reading import CsvFile
from application.importing.results import Fate, Job
from application.importing.running import Import, Sink
from application.neighbourhood import present
from application.ports import EventStore
from application.recording import Recorded, stream_name
from application.tenancy import OPERATOR
from domain.kernel import Command
from infrastructure.rehearsal import Silence
from infrastructure.scratch import Scratch


class Told:
    """What an import told of its rows."""

    def __init__(self) -> None:
        self.fates: list[Fate] = []
        self.made: list[str] = []
        self.problems: dict[int, tuple[Problem, ...]] = {}
        self.notes: dict[int, tuple[Note, ...]] = {}
        self.rows = 0

    def read(self, rows: int) -> None:
        self.rows += rows

    def became(self, fate: Fate, made: Sequence[str]) -> None:
        self.fates.append(fate)
        self.made += made

    def rejected(self, number: int, cells: Sequence[str], problems: Sequence[Problem]) -> None:
        assert problems, "a row is rejected for a reason"
        assert number not in self.problems, "a row is rejected once"
        self.problems[number] = tuple(problems)

    def noted(self, number: int, notes: Sequence[Note]) -> None:
        self.notes[number] = tuple(notes)

    def count(self, fate: Fate) -> int:
        return self.fates.count(fate)

    @property
    def created(self) -> int:
        return self.count(Fate.CREATED)

    @property
    def changed(self) -> int:
        return self.count(Fate.CHANGED)

    @property
    def unchanged(self) -> int:
        return self.count(Fate.UNCHANGED)

    def reasons(self, row: int) -> list[tuple[str | None, str]]:
        """Column and code of all that is wrong with a row."""
        return [(problem.column, problem.code) for problem in self.problems.get(row, ())]

    def all_went_in(self) -> bool:
        return not self.problems and len(self.fates) == self.rows


class Announced:
    """Announcements that are remembered."""

    def __init__(self) -> None:
        self.positions: list[int] = []

    def appended(self, tenant: UUID, actor: str, position: int, entities: Collection[str]) -> None:
        assert actor == "import"
        self.positions.append(position)


class Office:
    """A tenant that files are imported into."""

    def __init__(self, store: EventStore, tenant: UUID) -> None:
        self.store = store
        self.tenant = tenant
        self.announced = Announced()

    def take(self, kind: str, map: str, csv: str | bytes, **others: Any) -> Told:
        """Imports a file of this content; `others` as for `run`."""
        told = Told()
        self.run(kind, map, csv, told, **others)
        assert len(told.fates) + len(told.problems) == told.rows
        return told

    def run(
        self,
        kind: str,
        map: str,
        csv: str | bytes,
        sink: Sink,
        *,
        zone: str = "UTC",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        batch: int = 500,
        store: EventStore | None = None,
    ) -> None:
        """Imports a file of this content, and tells the sink."""
        with TemporaryDirectory() as directory, Scratch() as scratch:
            path = Path(directory, "rows.csv")
            path.write_bytes(csv.encode() if isinstance(csv, str) else csv)
            mapped = read_map(map.encode())
            with CsvFile(path, mapped.delimiter) as file:
                job = Job(
                    store=store or self.store,
                    tenant=self.tenant,
                    plan=plan(KINDS[kind], mapped, file.header, ZoneInfo(zone)),
                    run=uuid7(),
                    clock=now,
                    new_id=uuid7,
                )
                Import(job, self.announced, scratch, sink, batch=batch).run(file.records())

    def ask(self, entity: str, id: UUID, command: Command) -> None:
        """Sends a command, as a person would."""
        sender = Sender(tenant=self.tenant, actor="cli", permissions=OPERATOR, correlation=uuid7())
        Handler(self.store, Silence()).handle(sender, entity, id, command)

    def events(self) -> list[Recorded]:
        """The tenant's log."""
        return self.store.log(self.tenant, after=0, limit=100_000)

    def kinds(self) -> list[str]:
        """The stored types of the tenant's log, in order."""
        return [each.event.TYPE for each in self.events()]

    def records(self, entity: str) -> dict[UUID, Any]:
        """All records of an entity, folded from the log."""
        streams: dict[UUID, list[Recorded]] = {}
        for each in self.events():
            if each.entity == entity:
                streams.setdefault(each.id, []).append(each)
        return {id: present(ENTITIES[entity], events).state for id, events in streams.items()}

    def by_external_id(self, entity: str) -> dict[str, tuple[UUID, Any]]:
        """External id → id and record."""
        return {state.external_id: (id, state) for id, state in self.records(entity).items() if state.external_id}

    def record(self, entity: str, external_id: str) -> Any:
        return self.by_external_id(entity)[external_id][1]

    def id(self, entity: str, external_id: str) -> UUID:
        return self.by_external_id(entity)[external_id][0]

    def history(self, entity: str, external_id: str) -> list[tuple[str, str]]:
        """Type and day of each event of a record."""
        events = self.store.stream(self.tenant, stream_name(entity, self.id(entity, external_id)))
        return [(each.event.TYPE, f"{each.occurred_at:%Y-%m-%d}") for each in events]
