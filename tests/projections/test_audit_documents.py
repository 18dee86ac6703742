"""The audit trail's documents: sealed like the log, with before and after by the one fold, opened for a reader."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from msgspec import structs
from uuid_utils.compat import uuid7

from application.ports import Append, KeyMissing, StreamChange
from application.recording import Metadata, stream_name
from domain.contacts.events import ContactCreated, ContactEdited, ContactPersonal, EmailAddress
from domain.deals.events import DealAssigned, DealEdited, DealOpened, DealWon, Line
from domain.identity.events import UserCreated, UserPersonal
from domain.kernel import Event, Sealed
from domain.permissions import Role
from infrastructure.event_store import PostgresEventStore
from infrastructure.postgres import Database
from projections.audit.trail import AuditEntry, audit_documents, opened, page
from projections.changes import Batch, folded
from projections.pages import InvalidCursor, InvalidSort, PageRequest
from projections.ports import AuditDocument, AuditQuery
from projections.viewer import Viewer
from tests.projections.relational import on

ADA = ContactPersonal(first_name="Ada", last_name="Lovelace", emails=(EmailAddress(address="ada@x.example"),))
ADDRESS = "203.0.113.77"


class Office:
    """A tenant with a user who acts; what happens goes into the real log, sealed."""

    def __init__(self, store: PostgresEventStore, database: Database) -> None:
        self.store = store
        self.database = database
        self.tenant = uuid7()
        self.user = uuid7()
        self.versions: dict[str, int] = {}
        personal = UserPersonal(first_name="Grace", last_name="Hopper", email="grace@x.example")
        self.happens("user", self.user, UserCreated(personal=personal, role=Role.REP))

    def happens(self, entity: str, id: UUID, *events: Event, actor: str | None = None, **others: Any) -> UUID:
        stream = stream_name(entity, id)
        change = StreamChange(stream=stream, expected=self.versions.get(stream, 0), events=events, **others)
        self.versions[stream] = change.expected + len(events)
        metadata = Metadata(actor=actor or stream_name("user", self.user), correlation=UUID(int=7), request="r-1")
        self.store.append(self.tenant, Append(metadata=metadata, changes=(change,), address=ADDRESS))
        return id

    def batch(self, after: int = 0, limit: int = 1_000) -> Batch:
        """The log behind a position, read as the audit's projection does."""
        events = self.store.log(self.tenant, after=after, limit=limit, sealed=True)
        return folded(
            self.tenant,
            after,
            events,
            lambda streams, end: self.store.streams(self.tenant, streams, until=end, sealed=True),
        )

    def documents(self, after: int = 1) -> list[AuditDocument]:
        """The documents behind a position; the first is of the user who acts."""
        return audit_documents(self.batch(after))

    def entries(self, after: int = 1) -> list[AuditEntry]:
        return opened(self.tenant, self.store, self.documents(after))

    def erase(self, subject: UUID) -> None:
        with self.database.transaction(self.tenant) as transaction:
            transaction.execute(
                "UPDATE keys.subject_keys SET wrapped = NULL, erased_at = clock_timestamp()"
                " WHERE tenant_id = %(tenant)s AND subject = %(subject)s",
                {"subject": subject},
            )


@pytest.fixture
def office(store, database) -> Office:
    return Office(store, database)


def deal(**fields: Any) -> DealOpened:
    return DealOpened(name="Deal", pipeline=UUID(int=1), stage=UUID(int=2), probability=10, **fields)


def test_a_document_says_who_did_what_and_when(office):
    id = office.happens("deal", uuid7(), deal(), occurred_at=(on("2017-03-01"),))
    [made] = office.documents()
    assert (made.position, made.stream, made.version, made.type) == (2, f"deal-{id}", 1, "deal.opened.v1")
    assert (made.actor, made.correlation, made.request) == (f"user-{office.user}", UUID(int=7), "r-1")
    assert made.occurred_at == on("2017-03-01")
    assert made.recorded_at > made.occurred_at


def test_before_and_after_are_the_states_as_json(office):
    id = office.happens("deal", uuid7(), deal(lines=(Line(quantity=Decimal("1.50")),)))
    office.happens("deal", id, DealEdited(name="Renamed", amount=Decimal("10.00"), currency="USD"))
    first, second = office.documents()
    assert first.before is None
    assert first.after is not None
    assert first.after["lines"] == [{"quantity": "1.50"}]
    assert first.event["name"] == "Deal"
    assert second.before == first.after
    assert second.after == {**first.after, "name": "Renamed", "amount": "10.00", "currency": "USD"}
    assert second.event == {"name": "Renamed", "amount": "10.00", "currency": "USD"}
    assert json.loads(json.dumps(structs.asdict(second)["after"])) == second.after


def test_changed_names_the_fields_that_differ_and_at_first_those_that_are_set(office):
    id = office.happens("deal", uuid7(), deal(lead_source="fair"))
    office.happens(
        "deal",
        id,
        DealAssigned(previous=None, owner=office.user),
        DealWon(previous=UUID(int=2), stage=UUID(int=3), amount=Decimal(1), currency="USD"),
        DealEdited(name="Deal"),
    )
    assert [each.changed for each in office.documents()] == [
        ("name", "pipeline", "stage", "probability", "lead_source"),
        ("owner",),
        ("stage", "kind", "probability", "amount", "currency", "left_stage"),
        (),
    ]


def test_an_event_of_what_never_began_changes_nothing(office):
    office.happens("deal", uuid7(), DealEdited(name="Ghost"))
    [made] = office.documents()
    assert (made.before, made.after, made.changed) == (None, None, ())
    assert made.event == {"name": "Ghost"}


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_documents_are_the_same_whatever_the_batches(office, size):
    first, second = uuid7(), uuid7()
    for number in range(3):
        office.happens("deal", first, *([deal()] if number == 0 else [DealEdited(name=f"A{number}")]))
        office.happens("deal", second, *([deal()] if number == 0 else [DealEdited(name=f"B{number}")]))
    office.happens("deal", first, DealEdited(name="last"), DealEdited(probability=90))
    whole = office.documents(after=0)
    parts = [
        each for after in range(0, len(whole), size) for each in audit_documents(office.batch(after=after, limit=size))
    ]
    assert parts == whole
    by_stream: dict[str, Any] = {}
    for each in whole:
        assert each.before == by_stream.get(each.stream)
        by_stream[each.stream] = each.after


def test_no_document_holds_personal_data_in_the_clear(office):
    contact = office.happens("contact", uuid7(), ContactCreated(personal=ADA))
    office.happens("contact", contact, ContactEdited(department="Research"))
    written = repr(office.documents(after=0))
    for secret in ("Ada", "Lovelace", "ada@x.example", "Grace", "Hopper", ADDRESS):
        assert secret not in written
    [_, edited] = office.documents()
    assert edited.changed == ("department",)
    assert edited.before is not None
    assert edited.before["personal"]["kind"] == "sealed"
    assert isinstance(edited.address, Sealed)


def test_a_reader_sees_personal_data_and_which_of_its_fields_changed(office):
    contact = office.happens("contact", uuid7(), ContactCreated(personal=ADA))
    married = structs.replace(ADA, last_name="King", title="Countess")
    office.happens("contact", contact, ContactEdited(personal=married, department="Research"))
    first, second = office.entries()
    assert first.after is not None
    assert first.after["personal"] == {
        "first_name": "Ada",
        "last_name": "Lovelace",
        "emails": [{"address": "ada@x.example"}],
    }
    assert first.changed == ("personal.emails", "personal.first_name", "personal.last_name")
    assert second.before is not None
    assert second.before["personal"]["last_name"] == "Lovelace"
    assert second.event["personal"]["last_name"] == "King"
    assert second.changed == ("personal.last_name", "personal.title", "department")
    assert (first.address, second.address) == (ADDRESS, ADDRESS)


def test_sealing_the_same_again_is_no_change_to_a_reader(office):
    contact = office.happens("contact", uuid7(), ContactCreated(personal=ADA))
    office.happens("contact", contact, ContactEdited(personal=ADA))
    assert office.documents()[1].changed == ("personal",)
    assert office.entries()[1].changed == ()


def test_of_erased_data_only_the_mention_is_left(office):
    contact = office.happens("contact", uuid7(), ContactCreated(personal=ADA))
    office.happens("contact", contact, ContactEdited(personal=structs.replace(ADA, last_name="King")))
    sealed = office.documents()
    office.erase(contact)
    assert office.documents() == sealed
    for entry in office.entries():
        assert entry.after is not None
        assert entry.after["personal"] == entry.event["personal"] == {"kind": "erased"}
        assert "personal" in entry.changed
        assert entry.address == ADDRESS


def test_the_address_goes_with_the_key_of_who_acted(office):
    office.happens("deal", uuid7(), deal())
    office.erase(office.user)
    [entry] = office.entries()
    assert (entry.address, entry.actor) == (None, f"user-{office.user}")


def test_a_missing_key_is_a_fault_and_no_erasure(office):
    contact = office.happens("contact", uuid7(), ContactCreated(personal=ADA))
    documents = office.documents()
    stranger = f"contact-{uuid7()}"
    with pytest.raises(KeyMissing):
        opened(office.tenant, office.store, [structs.replace(documents[0], stream=stranger)])
    assert opened(office.tenant, office.store, documents)[0].stream == f"contact-{contact}"


class Trail:
    """A trail in memory that remembers what it was asked."""

    def __init__(self, tenant: UUID, documents: Sequence[AuditDocument]) -> None:
        self.tenant = tenant
        self.stored = sorted(documents, key=lambda each: -each.position)
        self.asked: list[AuditQuery] = []

    def find(self, tenant: UUID, generation: int, query: AuditQuery) -> list[AuditDocument]:
        self.asked.append(query)
        below = query.below or 2**62
        mine = self.stored if (tenant, generation) == (self.tenant, 1) else []
        return [each for each in mine if each.position < below][: query.limit]


def test_pages_go_on_below_the_last_position(office):
    for _ in range(5):
        office.happens("deal", uuid7(), deal())
    trail: Any = Trail(office.tenant, office.documents())
    viewer, query, cursor, seen = Viewer(tenant=office.tenant), AuditQuery(entity="deal"), None, []
    while True:
        found = page(trail, office.store, office.database, viewer, 1, query, PageRequest(limit=2, cursor=cursor))
        seen.append([each.position for each in found.items])
        cursor = found.next
        if cursor is None:
            break
    assert seen == [[6, 5], [4, 3], [2]]
    assert {each.entity for each in trail.asked} == {"deal"}
    assert page(trail, office.store, office.database, Viewer(tenant=uuid7()), 1, query, PageRequest()).items == []


def test_a_cursor_belongs_to_its_query_and_its_tenant(office):
    for _ in range(3):
        office.happens("deal", uuid7(), deal())
    trail: Any = Trail(office.tenant, office.documents())
    viewer = Viewer(tenant=office.tenant)
    request = PageRequest(
        limit=1, cursor=page(trail, office.store, office.database, viewer, 1, AuditQuery(), PageRequest(limit=1)).next
    )
    assert [
        each.position for each in page(trail, office.store, office.database, viewer, 1, AuditQuery(), request).items
    ] == [3]
    with pytest.raises(InvalidCursor):
        page(trail, office.store, office.database, viewer, 1, AuditQuery(actor="cli"), request)
    with pytest.raises(InvalidCursor):
        page(trail, office.store, office.database, Viewer(tenant=uuid7()), 1, AuditQuery(), request)


def test_the_trail_has_one_order(office):
    trail: Any = Trail(office.tenant, [])
    with pytest.raises(InvalidSort):
        page(
            trail,
            office.store,
            office.database,
            Viewer(tenant=office.tenant),
            1,
            AuditQuery(),
            PageRequest(sort="actor"),
        )
