"""What one writer does again and again: each kind makes a function that appends one event to the next tenant's log."""

import itertools
import os
from collections.abc import Callable, Sequence
from uuid import UUID, uuid4

import psycopg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

from application.ports import Append, StreamChange
from application.recording import Metadata, stream_name
from domain.contacts.events import ContactCreated, ContactEdited, ContactPersonal, EmailAddress
from domain.kernel import Event
from infrastructure.event_store import PostgresEventStore
from infrastructure.postgres import Database
from infrastructure.round_trip import Connection
from tests.fixtures import DatabaseUrls, event_store

Write = Callable[[], object]

_BARE = "INSERT INTO bare_events VALUES (%s, %s, %s, %s, %s, %b, %b, %b, now(), now(), %b)"
_BARE_TABLE = """
CREATE TABLE bare_events (
    tenant_id uuid, position bigint, stream text, version integer, type text, payload bytea, payload_hash bytea,
    metadata bytea, occurred_at timestamptz, recorded_at timestamptz, chain_hash bytea,
    PRIMARY KEY (tenant_id, position), UNIQUE (tenant_id, stream, version)
);
GRANT INSERT ON bare_events TO clientforge_app
"""

PERSONAL = ContactPersonal(
    first_name="Wilhelmina", last_name="Quixote", emails=(EmailAddress(address="w@quixotic.example", primary=True),)
)


def edit(_urls: DatabaseUrls, database: Database, tenants: Sequence[UUID]) -> Write:
    """Edits of contacts that are there: sealed under keys that are known."""
    store = event_store(database)
    stream = stream_name("contact", uuid4())
    versions: dict[UUID, int] = {}
    turns = itertools.cycle(tenants)
    for tenant in tenants:
        _append(store, tenant, stream, 0, ContactCreated(personal=PERSONAL))
        versions[tenant] = 1

    def write() -> None:
        tenant = next(turns)
        _append(store, tenant, stream, versions[tenant], ContactEdited(personal=PERSONAL))
        versions[tenant] += 1

    return write


def new(_urls: DatabaseUrls, database: Database, tenants: Sequence[UUID]) -> Write:
    """New contacts, each with a key of its own."""
    store = event_store(database)
    turns = itertools.cycle(tenants)
    return lambda: append_contact(store, next(turns), stream_name("contact", uuid4()), PERSONAL)


def append_contact(store: PostgresEventStore, tenant: UUID, stream: str, personal: ContactPersonal) -> None:
    """Appends a new contact."""
    _append(store, tenant, stream, 0, ContactCreated(personal=personal))


def _append(store: PostgresEventStore, tenant: UUID, stream: str, version: int, event: Event) -> None:
    change = StreamChange(stream=stream, expected=version, events=(event,))
    store.append(tenant, Append(metadata=Metadata(actor="cli", correlation=tenant), changes=(change,)))


def bare(_urls: DatabaseUrls, database: Database, tenants: Sequence[UUID]) -> Write:
    """The same bytes as an edit's by INSERT and COMMIT, from the same pool, without row-level security."""
    turns = itertools.cycle(tenants)
    stream, payload, metadata, hash = stream_name("contact", uuid4()), os.urandom(360), os.urandom(70), os.urandom(32)
    positions = itertools.count(uuid4().int % 2**62)

    def write() -> None:
        position = next(positions)
        values = (next(turns), position, stream, position % 2**31, ContactEdited.TYPE, payload, hash, metadata, hash)

        def insert(connection: Connection) -> object:
            return connection.execute(_BARE, values)

        database.run(insert)

    return write


def library(urls: DatabaseUrls, _database: Database, _tenants: Sequence[UUID]) -> Write:
    """The eventsourcing library's recorder; it knows no tenants."""
    recorder, stream, payload = _library_recorder(urls), str(uuid4()), os.urandom(360)
    versions = itertools.count(1)
    return lambda: recorder.insert_events([StoredEvent(stream, next(versions), ContactEdited.TYPE, payload)])


KINDS = {"edit": edit, "new": new, "bare": bare, "library": library}


def create_bare_table(urls: DatabaseUrls) -> None:
    """Makes the table that `bare` writes to."""
    with psycopg.connect(urls.owner, autocommit=True) as connection:
        connection.execute(_BARE_TABLE)


def create_library_table(urls: DatabaseUrls) -> None:
    """Makes the table that `library` writes to."""
    _library_recorder(urls).create_table()


def _library_recorder(urls: DatabaseUrls) -> PostgresApplicationRecorder:
    info = psycopg.conninfo.conninfo_to_dict(urls.owner)
    datastore = PostgresDatastore(
        dbname=str(info["dbname"]),
        host=str(info["host"]),
        port=str(info["port"]),
        user=str(info["user"]),
        password=str(info["password"]),
        pool_size=1,
        max_overflow=0,
        originator_id_type="text",
    )
    return PostgresApplicationRecorder(datastore, events_table_name="library_events")
