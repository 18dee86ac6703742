"""Personal data is sealed wherever it is kept for ever, and read back only with its subject's key."""

import base64
import os
from contextlib import closing
from uuid import uuid4

import psycopg
import pytest
from cryptography.exceptions import InvalidTag
from msgspec import structs
from pymongo import MongoClient
from uuid_utils.compat import uuid7

from application.catalogue import EVENT_TYPES
from application.handling import Handler, Sender
from application.ports import Append, Idempotency, KeyMissing, StreamChange, VersionConflict
from application.recording import Mapper, Metadata, stream_name
from domain.contacts.commands import CreateContact, EditContact, EmailDraft
from domain.contacts.events import ContactCreated, ContactPersonal
from domain.identity.commands import CreateUser
from domain.kernel import Erased, Refused, Sealed
from domain.permissions import HELD_BY, Role
from infrastructure.embedded_trail import PostgresTrail
from infrastructure.event_store import PostgresEventStore
from infrastructure.keys import KeyRing, Wrapping
from infrastructure.mongo import MongoTrail
from infrastructure.postgres import Database
from projections.audit.trail import audit_documents
from projections.changes import folded
from tests.infrastructure.silence import Silence

NAME, EMAIL, ADDRESS = "Wilhelmina", "wilhelmina@quixotic.example", "203.0.113.77"
KEPT_FOR_EVER = ("events", "tenant_heads", "claims", "idempotency_keys", "import_sources", "principals")


class Scene:
    """A tenant in which an admin, from a known address, made a contact."""

    def __init__(self, store: PostgresEventStore) -> None:
        self.tenant = uuid7()
        self.admin, self.contact = uuid7(), uuid7()
        self.handler = Handler(store, Silence())
        self.sender("cli")
        self.handler.handle(
            self.sender("cli"), "user", self.admin, CreateUser(first_name="Ann", last_name="Admin", role=Role.ADMIN)
        )
        self.create(self.contact, NAME, EMAIL)

    def sender(self, actor: str) -> Sender:
        return Sender(
            tenant=self.tenant,
            actor=actor,
            permissions=HELD_BY[Role.ADMIN],
            correlation=uuid4(),
            request="request-1",
            address=ADDRESS,
        )

    def create(self, contact, name: str, email: str) -> None:
        self.handler.handle(
            self.sender(stream_name("user", self.admin)),
            "contact",
            contact,
            CreateContact(first_name=name, last_name="Quixote", emails=(EmailDraft(address=email),)),
            idempotency=Idempotency(
                key=f"key-{contact}", request=f'{{"first_name": "{name}", "email": "{email}"}}'.encode()
            ),
        )


@pytest.fixture
def scene(store) -> Scene:
    return Scene(store)


@pytest.mark.parametrize("secret", [NAME, "Quixote", EMAIL, ADDRESS])
def test_nothing_that_is_kept_for_ever_holds_a_contact_or_an_address_in_plain_text(urls, scene, secret):
    with psycopg.connect(urls.superuser) as connection:
        for table in KEPT_FOR_EVER:
            rows = connection.execute(f"SELECT * FROM {table} WHERE tenant_id = %s", (scene.tenant,)).fetchall()
            for row in rows:
                for value in row:
                    stored = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
                    assert not any(form in stored for form in _forms(secret)), (table, row)


def _forms(secret: str) -> set[bytes]:
    """A text as it may stand in something stored: also in base64, wherever in its groups of three bytes it begins."""
    plain = secret.encode()
    encoded = {
        base64.b64encode(b"\0" * before + plain)[-(-before * 8 // 6) :][: len(plain) * 8 // 6 - 1]
        for before in range(3)
    }
    return {plain, secret.casefold().encode(), plain.hex().encode(), *encoded}


@pytest.mark.parametrize("place", ["{}", "x{}", "xy{}", "xyz{}"])
def test_a_secret_in_base64_would_be_found_wherever_it_begins(place):
    stored = base64.b64encode(place.format(EMAIL).encode() + b" and more")

    assert any(form in stored for form in _forms(EMAIL))


@pytest.mark.parametrize("secret", [NAME, "Quixote", EMAIL, ADDRESS])
def test_no_audit_document_holds_them_either(store, database, scene, mongodb_url, secret):
    events = store.log(scene.tenant, after=0, limit=99, sealed=True)
    documents = audit_documents(folded(scene.tenant, 0, events, lambda _streams, _until: {}))
    url = f"{mongodb_url.rstrip('/')}/personal_{scene.tenant.hex[-12:]}"
    PostgresTrail(database).write(scene.tenant, 1, documents)
    with closing(MongoTrail(url)) as trail:
        trail.write(scene.tenant, 1, documents)
    with MongoClient(url) as client:
        kept = list(client.get_default_database()["audit_logs"].find({}))
        client.drop_database(client.get_default_database().name)
    rows = database.read(scene.tenant, "SELECT a::text AS stored FROM audit_logs a WHERE tenant_id = %(tenant)s")

    assert len(kept) == len(rows) == len(events) == 2
    for stored in (repr(kept), repr(rows)):
        assert "sealed" in stored
        assert not any(form.decode() in stored for form in _forms(secret))


def test_what_was_sealed_is_read_back(store, scene):
    (created,) = store.stream(scene.tenant, stream_name("contact", scene.contact))

    assert isinstance(created.event.personal, ContactPersonal)
    assert (created.event.personal.first_name, created.event.personal.emails[0].address) == (NAME, EMAIL)
    assert store.open_address(created) == ADDRESS
    assert store.log(scene.tenant, after=1, limit=9)[0] == created


def test_read_sealed_it_stays_sealed(store, scene):
    (created,) = store.streams(scene.tenant, (stream_name("contact", scene.contact),), sealed=True).popitem()[1]
    (_, logged) = store.log(scene.tenant, after=0, limit=9, sealed=True)

    assert isinstance(created.event.personal, Sealed)
    assert created == logged
    assert isinstance(created.metadata.address, Sealed)


def _take_key_away(urls, scene, statement: str) -> None:
    with psycopg.connect(urls.superuser) as connection:
        connection.execute(statement, {"tenant": scene.tenant, "subject": scene.contact})


DELETE = "DELETE FROM keys.subject_keys WHERE tenant_id = %(tenant)s AND subject = %(subject)s"
ERASE = (
    "UPDATE keys.subject_keys SET wrapped = NULL, erased_at = now()"
    " WHERE tenant_id = %(tenant)s AND subject = %(subject)s"
)


def test_a_key_that_is_missing_without_a_tombstone_stops_the_reader(urls, store, scene):
    _take_key_away(urls, scene, DELETE)

    with pytest.raises(KeyMissing, match="nobody erased it"):
        store.stream(scene.tenant, stream_name("contact", scene.contact))
    with pytest.raises(KeyMissing):
        store.log(scene.tenant, after=0, limit=9)
    assert store.log(scene.tenant, after=0, limit=9, sealed=True)


def test_an_erased_key_reads_erased_at_once_and_the_rest_of_the_event_stays(urls, store, scene):
    assert store.stream(scene.tenant, stream_name("contact", scene.contact))
    _take_key_away(urls, scene, ERASE)

    (created,) = store.stream(scene.tenant, stream_name("contact", scene.contact))

    assert created.event.personal == Erased()
    assert created.event.owner == scene.admin
    assert scene.handler.present(scene.tenant, "contact", scene.contact).state.personal == Erased()


def test_what_was_erased_cannot_be_edited_back(urls, store, scene):
    _take_key_away(urls, scene, ERASE)

    with pytest.raises(Refused):
        scene.handler.handle(scene.sender("cli"), "contact", scene.contact, EditContact(first_name="Again"))


def test_an_erased_actor_leaves_no_address(urls, store, scene):
    with psycopg.connect(urls.superuser) as connection:
        connection.execute(ERASE, {"tenant": scene.tenant, "subject": scene.admin})

    (created,) = store.stream(scene.tenant, stream_name("contact", scene.contact))

    assert store.open_address(created) is None


def test_another_master_key_opens_nothing(urls, scene):
    database = Database(urls.app, connections=1)
    other = PostgresEventStore(database, KeyRing(database, Wrapping(os.urandom(32))), Mapper(EVENT_TYPES))

    with pytest.raises(InvalidTag):
        other.stream(scene.tenant, stream_name("contact", scene.contact))

    database.close()


def test_sealed_bytes_of_one_subject_do_not_open_as_anothers(urls, store, scene):
    other = uuid7()
    scene.create(other, "Sancho", "sancho@quixotic.example")
    with psycopg.connect(urls.superuser) as connection:
        connection.execute(
            "UPDATE keys.subject_keys AS k SET wrapped = o.wrapped FROM keys.subject_keys o"
            " WHERE k.tenant_id = %(tenant)s"
            " AND o.tenant_id = %(tenant)s AND k.subject = %(subject)s AND o.subject = %(other)s",
            {"tenant": scene.tenant, "subject": scene.contact, "other": other},
        )

    with pytest.raises(InvalidTag):
        store.stream(scene.tenant, stream_name("contact", scene.contact))


def test_hashes_are_keyed_by_tenant(store, scene):
    assert store.keyed_hash(scene.tenant, ["a", "b"]) == store.keyed_hash(scene.tenant, ["a", "b"])
    assert store.keyed_hash(scene.tenant, ["a"]) != store.keyed_hash(uuid7(), ["a"])


def test_two_appends_that_would_both_make_a_subjects_first_key_end_with_one(urls, store, scene):
    """A stream is born twice at once: the second finds a key, and then that the version is taken."""
    with pytest.raises(VersionConflict):
        store.append(
            scene.tenant,
            Append(
                metadata=Metadata(actor="cli", correlation=uuid4()),
                changes=(
                    StreamChange(
                        stream=stream_name("contact", scene.contact),
                        expected=0,
                        events=(ContactCreated(personal=ContactPersonal(first_name="Other", last_name="Writer")),),
                    ),
                ),
            ),
        )

    (created,) = store.stream(scene.tenant, stream_name("contact", scene.contact))
    assert created.event.personal.first_name == NAME


def test_a_key_of_a_replayed_request_is_not_taken_for_a_stored_one(store, scene):
    """The second request makes a key for its contact, appends nothing, and must not seal with that key later."""
    other = uuid7()
    again = Idempotency(key=f"key-{scene.contact}", request=b"another")
    body = Append(
        metadata=Metadata(actor="cli", correlation=uuid4()),
        changes=(
            StreamChange(
                stream=stream_name("contact", other),
                expected=0,
                events=(ContactCreated(personal=ContactPersonal(first_name="Other", last_name="Writer")),),
            ),
        ),
        idempotency=again,
    )
    store.append(scene.tenant, body)
    late = structs.replace(body, changes=(structs.replace(body.changes[0], stream=stream_name("contact", uuid7())),))
    assert store.append(scene.tenant, late).replayed

    store.append(scene.tenant, structs.replace(late, idempotency=None))

    assert len(store.log(scene.tenant, after=0, limit=9)) == 4
