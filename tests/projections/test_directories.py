"""Directories: rows as the fold leaves them, pages that miss and repeat nothing, and tenants apart."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs
from uuid_utils.compat import uuid7

from domain.accounts.events import AccountArchived, AccountAssigned, AccountCreated, AccountEdited, Size
from domain.contacts.events import ContactCreated, ContactEdited, ContactPersonal, EmailAddress, PhoneNumber
from domain.deals.events import DealContact, DealEdited, DealLost, DealOpened, DealReopened, DealWon, Line
from domain.identity.events import UserCreated, UserDeactivated, UserPersonal
from domain.kernel import Invalid, NotFound
from domain.neighbours import StageKind
from domain.permissions import Role
from domain.products.events import ProductCreated, ProductEdited
from domain.values import Address
from projections.accounts.directory import ACCOUNTS, AccountFilter
from projections.contacts.directory import CONTACTS, ContactFilter
from projections.deals.directory import DEALS, DealFilter
from projections.identity.directory import USERS, UserFilter
from projections.pages import InvalidCursor, InvalidSort, PageRequest
from projections.pipelines.directory import PIPELINES, PipelineFilter
from projections.products.directory import PRODUCTS, ProductFilter
from projections.viewer import Viewer
from tests.projections.relational import ACTOR, Stages, Tenancy, on

DIRECTORIES = (ACCOUNTS, CONTACTS, PRODUCTS, USERS, PIPELINES, DEALS)


@pytest.fixture
def here(database, store) -> Tenancy:
    return Tenancy(database, store)


@pytest.fixture
def elsewhere(database, store) -> Tenancy:
    return Tenancy(database, store)


def walk(directory: Any, tenancy: Tenancy, filters: Any, sort: str | None = None, limit: int = 3) -> Iterator[Any]:
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


@pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda each: each.name)
def test_every_field_of_a_filter_has_its_condition(directory):
    assert set(directory.filters.__struct_fields__) == set(directory.conditions)


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


@pytest.fixture
def many_deals(here) -> list[Any]:
    """Thirty deals with ties and gaps in whatever they are sorted by; some lack each of the values."""
    stages, dice = Stages(), random.Random(7)
    changes: list[tuple[str, Any, list[Any], list[datetime]]] = []
    for number in range(30):
        amount = dice.choice([None, Decimal(0), Decimal("10.5"), Decimal(200), Decimal(dice.randrange(1000))])
        opened = DealOpened(
            name=dice.choice(["Zebra", "apple", "Äpfel", f"deal {number}"]),
            pipeline=stages.pipeline,
            stage=stages.new,
            probability=10,
            amount=amount,
            currency="USD",
            expected_close=dice.choice([None, date(2017, 1, 1), date(2017, 1, dice.randrange(1, 28))]),
        )
        events: list[Any] = [opened]
        if dice.random() < 0.5:
            events.append(DealLost(previous=stages.new, stage=stages.lost))
        start = on("2017-01-01") + timedelta(days=dice.randrange(5))
        changes.append(("deal", uuid7(), events, [start, start + timedelta(days=dice.randrange(3))][: len(events)]))
    dice.shuffle(changes)
    for number in range(0, 30, 7):
        here.happen(changes[number : number + 7])
    here.project()
    return changes


@pytest.mark.parametrize("minus", ["", "-"])
@pytest.mark.parametrize(
    "sort", ["name", "amount", "expected_close", "opened_at", "closed_at", "stage_since", "created_at", "updated_at"]
)
def test_cursors_walk_every_row_once_in_order_with_ties_and_absent_values(here, many_deals, sort, minus):
    found = list(walk(DEALS, here, DealFilter(), minus + sort))
    assert len({row.id for row in found}) == len(found) == 30
    values = [value.casefold().replace("ä", "a") if sort == "name" else value for value in _values(found, sort)]
    present = [value for value in values if value is not None]
    assert values == present + [None] * (30 - len(present))
    assert present == sorted(present, reverse=bool(minus))
    for ties in _tied(found, values).values():
        assert ties == sorted(ties, reverse=bool(minus))


def _values(rows: list[Any], name: str) -> list[Any]:
    return [getattr(row, name) for row in rows]


def _tied(rows: list[Any], values: list[Any]) -> dict[Any, list[Any]]:
    tied: dict[Any, list[Any]] = {}
    for row, value in zip(rows, values, strict=True):
        tied.setdefault(value, []).append(row.id)
    return tied


def test_a_page_may_end_exactly_where_the_values_do(here, many_deals):
    valued = sum(row.amount is not None for row in walk(DEALS, here, DealFilter()))
    for limit in (valued - 1, valued, valued + 1):
        assert len({row.id for row in walk(DEALS, here, DealFilter(), "amount", limit)}) == 30


def test_a_cursor_of_another_list_order_filter_or_tenant_is_refused(here, elsewhere, many_deals):
    def page(tenancy: Tenancy, directory: Any, filters: Any, sort: str | None, cursor: str | None) -> Any:
        request = PageRequest(sort=sort, cursor=cursor, limit=2)
        return directory.page(tenancy.database, tenancy.viewer, filters, request)

    cursor = page(here, DEALS, DealFilter(), "amount", None).next
    assert page(here, DEALS, DealFilter(), "amount", cursor).items
    for tenancy, directory, filters, sort, wrong in (
        (elsewhere, DEALS, DealFilter(), "amount", cursor),
        (here, DEALS, DealFilter(), "-amount", cursor),
        (here, DEALS, DealFilter(), "name", cursor),
        (here, DEALS, DealFilter(archived=None), "amount", cursor),
        (here, ACCOUNTS, AccountFilter(), "name", cursor),
        (here, DEALS, DealFilter(), "amount", cursor[:-2]),
        (here, DEALS, DealFilter(), "amount", "nonsense"),
        (here, DEALS, DealFilter(), "amount", "ünsinn"),
        (here, DEALS, DealFilter(), "amount", ""),
    ):
        with pytest.raises(InvalidCursor):
            page(tenancy, directory, filters, sort, wrong)


def test_an_unknown_sort_and_a_limit_out_of_range_are_refused(here):
    for sort in ("document", "id; DROP TABLE deals", "--name", "-", ""):
        if sort:
            with pytest.raises(InvalidSort):
                DEALS.page(here.database, here.viewer, DealFilter(), PageRequest(sort=sort))
    for limit in (0, 201, -1):
        with pytest.raises(Invalid):
            DEALS.page(here.database, here.viewer, DealFilter(), PageRequest(limit=limit))


def test_values_that_the_database_can_not_take_are_refused(here):
    for filters in (
        DealFilter(currency="\0"),
        DealFilter(amount_min=Decimal("1E+999999")),
        DealFilter(currency="\ud800"),
    ):
        with pytest.raises(Invalid):
            DEALS.page(here.database, here.viewer, filters, PageRequest())


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
