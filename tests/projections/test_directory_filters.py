"""Filters of directories, and what a viewer sees."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs
from uuid_utils.compat import uuid7

from domain.accounts.events import AccountArchived, AccountCreated
from domain.contacts.events import ContactCreated, ContactPersonal
from domain.deals.events import DealEdited, DealLost, DealOpened, DealWon
from domain.identity.events import UserCreated, UserDeactivated, UserPersonal
from domain.kernel import NotFound
from domain.neighbours import StageKind
from domain.permissions import Role
from domain.products.events import ProductCreated, ProductEdited
from projections.accounts.directory import ACCOUNTS, AccountFilter
from projections.contacts.directory import CONTACTS, ContactFilter
from projections.deals.directory import DEALS, DealFilter
from projections.identity.directory import USERS, UserFilter
from projections.pages import PageRequest
from projections.pipelines.directory import PIPELINES
from projections.products.directory import PRODUCTS, ProductFilter
from projections.viewer import Viewer
from tests.projections.relational import Stages, Tenancy, on, walk

DIRECTORIES = (ACCOUNTS, CONTACTS, PRODUCTS, USERS, PIPELINES, DEALS)


@pytest.fixture
def here(database, store) -> Tenancy:
    return Tenancy(database, store)


@pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda each: each.name)
def test_every_field_of_a_filter_has_its_condition(directory):
    assert set(directory.filters.__struct_fields__) == set(directory.conditions)


def test_deals_are_filtered_by_each_of_their_fields(here):
    one, other, owner, account = Stages(), Stages(), uuid7(), uuid7()
    opened = DealOpened(name="A", pipeline=one.pipeline, stage=one.new, probability=1)
    won = DealWon(previous=one.new, stage=one.won, amount=Decimal(5), currency="EUR")
    a = here.happens("deal", uuid7(), opened)
    b = here.happens(
        "deal",
        uuid7(),
        structs.replace(opened, owner=owner, account=account, amount=Decimal("10.5"), currency="USD"),
        DealEdited(expected_close=date(2017, 5, 1)),
    )
    c = here.happens(
        "deal",
        uuid7(),
        structs.replace(opened, pipeline=other.pipeline, stage=other.new),
        won,
        at=on("2017-06-30", "22:30"),
    )
    here.project()

    def found(**filters: Any) -> set[Any]:
        return {row.id for row in walk(DEALS, here, DealFilter(**filters))}

    assert found() == {a, b, c}
    assert found(owner=owner) == found(account=account) == found(currency="USD") == {b}
    assert found(pipeline=other.pipeline) == found(kind=StageKind.WON) == found(stage=one.won) == {c}
    assert found(amount_min=Decimal("10.5")) == {b}
    assert found(amount_max=Decimal("10.4999")) == {c}
    assert found(expected_close_from=date(2017, 5, 1), expected_close_to=date(2017, 5, 1)) == {b}
    assert found(expected_close_from=date(2017, 5, 2)) == found(expected_close_to=date(2017, 4, 30)) == set()
    assert found(closed_from=date(2017, 6, 30), closed_to=date(2017, 6, 30)) == {c}
    assert found(closed_from=date(2017, 7, 1)) == found(closed_to=date(2017, 6, 29)) == set()
    assert found(closed_from=date.min, closed_to=date.max) == {c}


def test_a_close_date_is_a_day_of_the_tenants_time_zone(here):
    stages = Stages()
    opened = DealOpened(name="A", pipeline=stages.pipeline, stage=stages.new, probability=1)
    lost = DealLost(previous=stages.new, stage=stages.lost)
    here.happens("deal", uuid7(), opened, lost, at=on("2017-06-30", "22:30"))
    here.project()
    paris = structs.replace(here.viewer, time_zone="Europe/Paris")
    for viewer, day in ((here.viewer, 30), (paris, 31)):
        closed = date(2017, 6, 30) + timedelta(days=day - 30)
        page = DEALS.page(here.database, viewer, DealFilter(closed_from=closed, closed_to=closed), PageRequest())
        assert len(page.items) == 1


def test_archived_records_are_listed_on_request_alone(here):
    kept = here.happens("account", uuid7(), AccountCreated(name="Kept"))
    gone = here.happens("account", uuid7(), AccountCreated(name="Gone"), AccountArchived())
    here.project()
    for archived, expected in ((False, {kept}), (True, {gone}), (None, {kept, gone})):
        assert {row.id for row in walk(ACCOUNTS, here, AccountFilter(archived=archived))} == expected


def test_accounts_contacts_products_and_users_are_filtered(here):
    owner, parent = uuid7(), uuid7()
    a = here.happens("account", uuid7(), AccountCreated(name="A", owner=owner, industry="medical"))
    b = here.happens("account", uuid7(), AccountCreated(name="B", parent=parent))
    who = ContactPersonal(first_name="Ada", last_name="Z")
    c = here.happens("contact", uuid7(), ContactCreated(personal=who, account=a, lead_source="fair"))
    d = here.happens("contact", uuid7(), ContactCreated(personal=who, owner=owner))
    p = here.happens("product", uuid7(), ProductCreated(name="P", family="GTX"))
    q = here.happens("product", uuid7(), ProductCreated(name="Q"), ProductEdited(active=False))
    me = UserPersonal(first_name="Max", last_name="A")
    u = here.happens("user", uuid7(), UserCreated(personal=me, role=Role.REP, manager=owner, office="West"))
    v = here.happens("user", uuid7(), UserCreated(personal=me, role=Role.ADMIN), UserDeactivated())
    here.project()

    def found(directory: Any, filters: Any) -> set[Any]:
        return {row.id for row in walk(directory, here, filters)}

    assert found(ACCOUNTS, AccountFilter(owner=owner)) == found(ACCOUNTS, AccountFilter(industry="medical")) == {a}
    assert found(ACCOUNTS, AccountFilter(parent=parent)) == {b}
    assert found(CONTACTS, ContactFilter(account=a)) == found(CONTACTS, ContactFilter(lead_source="fair")) == {c}
    assert found(CONTACTS, ContactFilter(owner=owner)) == {d}
    assert found(PRODUCTS, ProductFilter(family="GTX")) == found(PRODUCTS, ProductFilter(active=True)) == {p}
    assert found(PRODUCTS, ProductFilter(active=False)) == {q}
    assert found(USERS, UserFilter(office="West")) == found(USERS, UserFilter(manager=owner)) == {u}
    assert found(USERS, UserFilter()) == found(USERS, UserFilter(role=Role.REP)) == {u}
    assert found(USERS, UserFilter(active=None)) == {u, v}
    assert found(USERS, UserFilter(active=False, role=Role.ADMIN)) == {v}


def test_contacts_are_sorted_by_their_last_names_too(here):
    for first, last in (("Zoe", "Adams"), ("Ada", "Zimmer"), ("Bob", "adams")):
        personal = ContactPersonal(first_name=first, last_name=last)
        here.happens("contact", uuid7(), ContactCreated(personal=personal))
    here.project()
    assert [row.name for row in walk(CONTACTS, here, ContactFilter())] == ["Ada Zimmer", "Bob adams", "Zoe Adams"]
    by_last = [row.name for row in walk(CONTACTS, here, ContactFilter(), "last_name")]
    assert by_last == ["Bob adams", "Zoe Adams", "Ada Zimmer"]


def test_a_viewer_of_some_owners_sees_their_records_alone(here):
    mine, theirs = uuid7(), uuid7()
    a = here.happens("account", uuid7(), AccountCreated(name="A", owner=mine))
    b = here.happens("account", uuid7(), AccountCreated(name="B", owner=theirs))
    here.happens("account", uuid7(), AccountCreated(name="C"))
    here.project()
    viewer = Viewer(tenant=here.id, owners=frozenset({mine}))
    assert [row.id for row in ACCOUNTS.page(here.database, viewer, AccountFilter(), PageRequest()).items] == [a]
    assert ACCOUNTS.get(here.database, viewer, a).name == "A"
    with pytest.raises(NotFound):
        ACCOUNTS.get(here.database, viewer, b)
    nobody = Viewer(tenant=here.id, owners=frozenset())
    assert ACCOUNTS.page(here.database, nobody, AccountFilter(), PageRequest()).items == []
