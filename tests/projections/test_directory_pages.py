"""Pages of directories: they miss and repeat nothing, and refuse what isn't theirs."""

import random
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from domain.deals.events import DealLost, DealOpened
from domain.kernel import Invalid
from projections.accounts.directory import ACCOUNTS, AccountFilter
from projections.deals.directory import DEALS, DealFilter
from projections.pages import InvalidCursor, InvalidSort, PageRequest
from tests.projections.relational import Stages, Tenancy, on, walk


@pytest.fixture
def here(database, store) -> Tenancy:
    return Tenancy(database, store)


@pytest.fixture
def elsewhere(database, store) -> Tenancy:
    return Tenancy(database, store)


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
