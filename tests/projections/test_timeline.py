"""The timeline of a record: its own events and those of what belongs to it, newest first, without personal data."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from domain.accounts.events import AccountCreated, AccountEdited
from domain.contacts.events import ContactCreated, ContactEdited, ContactPersonal, EmailAddress
from domain.deals.events import DealContact, DealEdited, DealOpened, DealWon
from domain.kernel import NotFound
from domain.products.events import ProductCreated
from projections.pages import InvalidCursor, InvalidSort, PageRequest
from projections.timeline import Happening, timeline
from projections.viewer import Viewer
from tests.projections.relational import ACTOR, Stages, Tenancy, on

STAGES = Stages()
ADA = ContactPersonal(first_name="Ada", last_name="Lovelace", emails=(EmailAddress(address="a@b.c", primary=True),))


@pytest.fixture
def here(database, store) -> Tenancy:
    return Tenancy(database, store)


def opened(**fields: Any) -> DealOpened:
    return DealOpened(name="Deal", pipeline=STAGES.pipeline, stage=STAGES.new, probability=10, **fields)


def happenings(tenancy: Tenancy, entity: str, id: UUID, viewer: Viewer | None = None) -> list[Happening]:
    tenancy.project()
    return timeline(tenancy.database, viewer or tenancy.viewer, entity, id, PageRequest()).items


def types(tenancy: Tenancy, entity: str, id: UUID, viewer: Viewer | None = None) -> list[str]:
    return [each.type for each in happenings(tenancy, entity, id, viewer)]


def test_a_record_shows_its_own_events_newest_first(here):
    account = here.happens("account", uuid7(), AccountCreated(name="Acme"), AccountEdited(name="Acme Inc"))
    here.happens("account", uuid7(), AccountCreated(name="Another"))
    last, first = happenings(here, "account", account)
    assert (last.type, first.type) == ("account.edited.v1", "account.created.v1")
    assert (last.position, last.actor, last.entity, last.id) == (2, ACTOR, "account", account)
    assert [(each.field, each.before, each.after) for each in last.changed] == [("name", "Acme", "Acme Inc")]
    assert [(each.field, each.before, each.after) for each in first.changed] == [("name", None, "Acme")]


def test_a_deal_shows_on_its_account_and_contacts(here):
    account = here.happens("account", uuid7(), AccountCreated(name="Acme"))
    contact = here.happens("contact", uuid7(), ContactCreated(personal=ADA))
    deal = here.happens("deal", uuid7(), opened(account=account, contacts=(DealContact(contact=contact),)))
    assert types(here, "account", account) == ["deal.opened.v1", "account.created.v1"]
    assert types(here, "contact", contact) == ["deal.opened.v1", "contact.created.v1"]
    assert next((each.entity, each.id) for each in happenings(here, "account", account)) == ("deal", deal)
    assert types(here, "deal", deal) == ["deal.opened.v1"]


def test_a_contact_shows_on_its_account_and_an_account_on_its_parent(here):
    parent = here.happens("account", uuid7(), AccountCreated(name="Parent"))
    child = here.happens("account", uuid7(), AccountCreated(name="Child", parent=parent))
    here.happens("contact", uuid7(), ContactCreated(personal=ADA, account=child))
    assert types(here, "account", parent) == ["account.created.v1", "account.created.v1"]
    assert types(here, "account", child) == ["contact.created.v1", "account.created.v1"]


def test_an_event_that_moves_a_record_shows_where_it_was_and_where_it_is(here):
    old = here.happens("account", uuid7(), AccountCreated(name="Old"))
    new = here.happens("account", uuid7(), AccountCreated(name="New"))
    deal = here.happens("deal", uuid7(), opened(account=old), DealEdited(account=new), DealEdited(name="Later"))
    assert types(here, "account", old) == ["deal.edited.v1", "deal.opened.v1", "account.created.v1"]
    assert types(here, "account", new) == ["deal.edited.v1", "deal.edited.v1", "account.created.v1"]
    assert len(types(here, "deal", deal)) == 3


def test_no_personal_data_is_in_a_timeline(here):
    contact = here.happens(
        "contact",
        uuid7(),
        ContactCreated(personal=ADA, department="Engines"),
        ContactEdited(personal=ContactPersonal(first_name="Augusta", last_name="King")),
    )
    last, first = happenings(here, "contact", contact)
    assert [(each.field, each.before, each.after, each.hidden) for each in last.changed] == [
        (name, None, None, True) for name in ("first_name", "last_name", "emails")
    ]
    assert [each.field for each in first.changed] == ["first_name", "last_name", "emails", "department"]
    stored = repr([here.rows()[table] for table in ("timelines", "timeline_events")])
    for name in ("Ada", "Lovelace", "Augusta", "King", "a@b.c"):
        assert name not in stored


def test_values_and_instants_read_as_they_were(here):
    won = DealWon(previous=STAGES.new, stage=STAGES.won, amount=Decimal("10.50"), currency="USD")
    deal = here.happens("deal", uuid7(), opened(), won, at=[on("2017-01-01"), on("2017-02-01")])
    last, _ = happenings(here, "deal", deal)
    assert last.occurred_at == on("2017-02-01") < last.recorded_at
    assert {each.field: each.after for each in last.changed}["amount"] == "10.50"
    assert {each.field: each.after for each in last.changed}["stage"] == str(STAGES.won)


def test_cursors_walk_a_timeline_once(here):
    account = here.happens("account", uuid7(), AccountCreated(name="Acme"))
    for number in range(7):
        here.happens("deal", uuid7(), opened(account=account), DealEdited(name=f"Deal {number}"))
    here.project()
    seen: list[int] = []
    cursor = None
    while True:
        request = PageRequest(cursor=cursor, limit=4)
        page = timeline(here.database, here.viewer, "account", account, request)
        seen += [each.position for each in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert seen == list(range(15, 0, -1))


def test_cursors_of_another_timeline_and_any_sort_are_refused(here):
    account = here.happens("account", uuid7(), AccountCreated(name="A"), AccountEdited(name="B"))
    other = here.happens("account", uuid7(), AccountCreated(name="A"))
    here.project()
    cursor = timeline(here.database, here.viewer, "account", account, PageRequest(limit=1)).next
    with pytest.raises(InvalidCursor):
        timeline(here.database, here.viewer, "account", other, PageRequest(cursor=cursor))
    with pytest.raises(InvalidSort):
        timeline(here.database, here.viewer, "account", account, PageRequest(sort="name"))


def test_an_unknown_record_has_no_timeline(here):
    here.project()
    with pytest.raises(NotFound):
        timeline(here.database, here.viewer, "account", uuid7(), PageRequest())


def test_a_viewer_of_some_owners_sees_the_events_of_their_records_alone(here):
    mine, theirs = uuid7(), uuid7()
    account = here.happens("account", uuid7(), AccountCreated(name="Acme", owner=mine))
    contact = here.happens("contact", uuid7(), ContactCreated(personal=ADA, owner=mine, account=account))
    here.happens("contact", uuid7(), ContactCreated(personal=ADA, owner=theirs, account=account))
    deal = here.happens("deal", uuid7(), opened(owner=theirs, account=account))
    product = here.happens("product", uuid7(), ProductCreated(name="P"))
    viewer = Viewer(tenant=here.id, owners=frozenset({mine}))
    assert types(here, "account", account, viewer) == ["contact.created.v1", "account.created.v1"]
    assert types(here, "contact", contact, viewer) == ["contact.created.v1"]
    assert types(here, "product", product, viewer) == ["product.created.v1"]
    with pytest.raises(NotFound):
        types(here, "deal", deal, viewer)


def test_two_tenants_at_equal_positions_keep_apart(database, store):
    id = uuid7()
    tenancies = [Tenancy(database, store), Tenancy(database, store)]
    for number, tenancy in enumerate(tenancies):
        tenancy.happens("account", id, AccountCreated(name=f"Acme {number}"))
        tenancy.project()
    for number, tenancy in enumerate(tenancies):
        (only,) = happenings(tenancy, "account", id)
        assert [each.after for each in only.changed] == [f"Acme {number}"]


def test_only_the_live_generation_is_shown(here):
    account = here.happens("account", uuid7(), AccountCreated(name="Acme"))
    assert len(happenings(here, "account", account)) == 1
    here.generation = 2
    here.happens("account", account, AccountEdited(name="Being rebuilt"))
    assert len(happenings(here, "account", account)) == 1
