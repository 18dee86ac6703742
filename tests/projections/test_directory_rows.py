"""Rows of directories: as the fold leaves their records, of one tenant and the live generation."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from domain.accounts.events import AccountArchived, AccountAssigned, AccountCreated, AccountEdited, Size
from domain.contacts.events import ContactCreated, ContactEdited, ContactPersonal, EmailAddress, PhoneNumber
from domain.deals.events import DealContact, DealEdited, DealLost, DealOpened, DealReopened, DealWon, Line
from domain.identity.events import UserCreated, UserPersonal
from domain.kernel import NotFound
from domain.neighbours import StageKind
from domain.permissions import Role
from domain.products.events import ProductCreated
from domain.values import Address
from projections.accounts.directory import ACCOUNTS, AccountFilter
from projections.contacts.directory import CONTACTS
from projections.deals.directory import DEALS
from projections.identity.directory import USERS
from projections.pages import PageRequest
from projections.pipelines.directory import PIPELINES, PipelineFilter
from projections.products.directory import PRODUCTS
from tests.projections.relational import ACTOR, Stages, Tenancy, on, walk

DIRECTORIES = (ACCOUNTS, CONTACTS, PRODUCTS, USERS, PIPELINES, DEALS)


@pytest.fixture
def here(database, store) -> Tenancy:
    return Tenancy(database, store)


@pytest.fixture
def elsewhere(database, store) -> Tenancy:
    return Tenancy(database, store)


def test_an_account_reads_as_its_events_leave_it(here):
    parent, owner = uuid7(), uuid7()
    account = here.happens(
        "account",
        uuid7(),
        AccountCreated(name="Acme", employees=40, size=Size.UP_TO_50, annual_revenue=Decimal("1.50"), currency="USD"),
        AccountEdited(parent=parent, address=Address(city="Paris")),
        AccountAssigned(previous=None, owner=owner),
        AccountArchived(),
    )
    here.project()
    row = ACCOUNTS.get(here.database, here.viewer, account)
    assert (row.name, row.size, row.annual_revenue, row.parent, row.owner) == (
        "Acme",
        Size.UP_TO_50,
        Decimal("1.50"),
        parent,
        owner,
    )
    assert row.address is not None
    assert (row.address.city, row.archived, row.version) == ("Paris", True, 4)
    assert (row.created_by, row.updated_by) == (ACTOR, ACTOR)
    assert row.created_at <= row.updated_at


def test_a_contact_shows_its_name_and_primary_addresses_flat(here):
    personal = ContactPersonal(
        first_name="Ada",
        last_name="Lovelace",
        emails=(EmailAddress(address="a@example.com"), EmailAddress(address="b@example.com", primary=True)),
        phones=(PhoneNumber(number="+44 1", primary=True),),
    )
    contact = here.happens("contact", uuid7(), ContactCreated(personal=personal, department="Engines"))
    here.project()
    row = CONTACTS.get(here.database, here.viewer, contact)
    assert (row.name, row.email, row.phone, row.department) == ("Ada Lovelace", "b@example.com", "+44 1", "Engines")
    assert [each.address for each in row.emails] == ["a@example.com", "b@example.com"]
    assert not row.erased


def test_an_erased_contact_keeps_its_row_without_who_they_were(here):
    personal = ContactPersonal(first_name="Ada", last_name="Lovelace", phones=(PhoneNumber(number="1", primary=True),))
    contact = here.happens("contact", uuid7(), ContactCreated(personal=personal))
    here.project()
    with here.database.transaction(here.id) as transaction:
        transaction.execute(
            "UPDATE keys.subject_keys SET wrapped = NULL, erased_at = now()"
            " WHERE tenant_id = %(tenant)s AND subject = %(subject)s",
            {"subject": contact},
        )
    here.happens("contact", contact, ContactEdited(department="Engines"))
    here.project(after=1)
    row = CONTACTS.get(here.database, here.viewer, contact)
    assert row.erased
    assert (row.name, row.first_name, row.email, row.phones, row.department) == (None, None, None, (), "Engines")
    assert "Lovelace" not in repr(here.rows()["contacts"])
    assert "lovelace" not in repr(here.rows()["contacts"])


def test_a_deal_knows_when_it_was_opened_closed_and_last_moved(here):
    stages = Stages()
    opened = DealOpened(
        name="Deal",
        pipeline=stages.pipeline,
        stage=stages.new,
        probability=10,
        amount=Decimal("1054.25"),
        currency="USD",
        lines=(Line(description="Work", unit_price=Decimal(10)), Line(description="Talk")),
    )
    won = DealWon(previous=stages.new, stage=stages.won, amount=Decimal(1000), currency="USD")
    deal = here.happens("deal", uuid7(), opened, at=on("2017-01-01"))
    here.project()
    row = DEALS.get(here.database, here.viewer, deal)
    assert (row.weighted, row.opened_at, row.closed_at) == (Decimal("105.425"), on("2017-01-01"), None)
    assert [(line.quantity, line.total) for line in row.lines] == [(Decimal(1), Decimal(10)), (Decimal(1), None)]

    here.happens("deal", deal, won, DealEdited(name="Renamed"), at=[on("2017-02-01"), on("2017-02-03")])
    here.project(after=1)
    row = DEALS.get(here.database, here.viewer, deal)
    assert (row.kind, row.closed_at, row.stage_since) == (StageKind.WON, on("2017-02-01"), on("2017-02-01"))

    again = DealReopened(previous=stages.won, stage=stages.new, probability=10)
    here.happens("deal", deal, again, at=on("2017-03-01"))
    here.project(after=3)
    row = DEALS.get(here.database, here.viewer, deal)
    assert (row.kind, row.closed_at, row.stage_since) == (StageKind.OPEN, None, on("2017-03-01"))

    here.happens("deal", deal, DealLost(previous=stages.new, stage=stages.lost), at=on("2017-04-01"))
    here.project(after=4)
    row = DEALS.get(here.database, here.viewer, deal)
    assert (row.closed_at, row.opened_at) == (on("2017-04-01"), on("2017-01-01"))


def test_a_pipeline_says_the_kind_of_each_stage(here):
    stages = Stages()
    here.happens("pipeline", stages.pipeline, stages.created(default=True))
    here.project()
    row = PIPELINES.page(here.database, here.viewer, PipelineFilter(), PageRequest()).items[0]
    assert row.default
    assert [(each.name, each.kind) for each in row.stages] == [
        ("Prospecting", "open"),
        ("Engaging", "open"),
        ("Won", "won"),
        ("Lost", "lost"),
    ]


@pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda each: each.name)
def test_two_tenants_at_equal_positions_keep_apart(here, elsewhere, directory):
    """Both have one record of each kind, under the same ids and at the same positions."""
    ids = [uuid7() for _ in range(6)]
    stages = Stages()
    for tenancy, name in ((here, "Here"), (elsewhere, "Elsewhere")):
        person: dict[str, Any] = {"first_name": name, "last_name": "X"}
        tenancy.happens("account", ids[0], AccountCreated(name=name))
        tenancy.happens("contact", ids[1], ContactCreated(personal=ContactPersonal(**person)))
        tenancy.happens("product", ids[2], ProductCreated(name=name))
        tenancy.happens("user", ids[3], UserCreated(personal=UserPersonal(**person), role=Role.REP))
        tenancy.happens("pipeline", ids[4], stages.created(name))
        opened = DealOpened(name=name, pipeline=ids[4], stage=stages.new, probability=1)
        tenancy.happens("deal", ids[5], opened)
        tenancy.project()
    id = ids[DIRECTORIES.index(directory)]
    for tenancy, name in ((here, "Here"), (elsewhere, "Elsewhere")):
        assert directory.get(tenancy.database, tenancy.viewer, id).name.startswith(name)
        (only,) = directory.page(tenancy.database, tenancy.viewer, directory.filters(), PageRequest()).items
        assert only.name.startswith(name)
    with pytest.raises(NotFound):
        directory.get(here.database, here.viewer, uuid7())


def test_only_the_live_generation_is_read(here):
    account = here.happens("account", uuid7(), AccountCreated(name="Live"))
    here.project()
    here.generation = 2
    here.happens("account", account, AccountEdited(name="Being rebuilt"))
    here.project()
    assert ACCOUNTS.get(here.database, here.viewer, account).name == "Live"
    assert len(list(walk(ACCOUNTS, here, AccountFilter()))) == 1


def test_contacts_of_a_deal_and_product_prices_read_whole(here):
    contact, stages = uuid7(), Stages()
    opened = DealOpened(
        name="A",
        pipeline=stages.pipeline,
        stage=stages.new,
        probability=1,
        contacts=(DealContact(contact=contact, role="decision maker"),),
        competitors=("Them",),
    )
    deal = here.happens("deal", uuid7(), opened)
    product = here.happens("product", uuid7(), ProductCreated(name="P", prices={"USD": Decimal("550.00")}))
    here.project()
    row = DEALS.get(here.database, here.viewer, deal)
    assert [(each.contact, each.role) for each in row.contacts] == [(contact, "decision maker")]
    assert row.competitors == ("Them",)
    assert PRODUCTS.get(here.database, here.viewer, product).prices == {"USD": Decimal("550.00")}
    assert row.created_at <= datetime.now(UTC)
