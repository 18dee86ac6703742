"""The leaderboard against figures worked out by hand."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from msgspec import structs

from domain.deals.events import (
    DealArchived,
)
from domain.identity.events import UserEdited, UserPersonal
from projections.deals.leaderboard import Standing, leaderboard
from tests.projections.relational import Tenancy, on
from tests.projections.sales import Sales, money


@pytest.fixture
def sales(database, store) -> Sales:
    return Sales(Tenancy(database, store))


def standing(items: list[Standing]) -> list[tuple[Any, ...]]:
    return [(each.name, each.won, each.lost, money(each.values), each.win_rate) for each in items]


@pytest.fixture
def team(sales) -> Mapping[str, UUID]:
    """Two agents under one manager, one without; their deals in two currencies."""
    boss = sales.user("Dora", "Boss", office="Head")
    ada = sales.user("Ada", "West", manager=boss, office="West")
    bob = sales.user("Bob", "West", manager=boss, office="West")
    cyd = sales.user("Cyd", "Free")
    for owner, opened, closed, event in (
        (ada, "2017-01-01", "2017-01-11", sales.won("100")),
        (ada, "2017-01-01", "2017-01-31", sales.won("50", "EUR")),
        (ada, "2017-01-01", "2017-03-01", sales.lost()),
        (bob, "2017-02-01", "2017-02-03", sales.won("300.50")),
        (cyd, "2017-02-01", "2017-02-04", sales.won("1000", "EUR")),
        (None, "2017-02-01", "2017-02-04", sales.lost()),
    ):
        sales.deal((sales.opened(owner=owner), on(opened)), (event, on(closed)))
    sales.deal((sales.opened("1", owner=bob), on("2017-01-01")))
    return {"boss": boss, "ada": ada, "bob": bob, "cyd": cyd}


def test_owners_stand_by_what_they_won_in_the_asked_currency(sales, team):
    board = sales.leaders()
    assert standing(board.items) == [
        ("Bob West", 1, 0, [("300.50", "USD")], 1.0),
        ("Ada West", 2, 1, [("50", "EUR"), ("100", "USD")], 2 / 3),
        ("Cyd Free", 1, 0, [("1000", "EUR")], 1.0),
        (None, 0, 1, [], 0.0),
    ]
    assert [each.id for each in board.items] == [str(team["bob"]), str(team["ada"]), str(team["cyd"]), None]
    assert [each.average_days_to_close for each in board.items] == [2.0, 20.0, 3.0, None]
    assert [each.name for each in sales.leaders(currency="EUR").items] == ["Cyd Free", "Ada West", "Bob West", None]


def test_the_total_is_of_all_deals_and_averages_over_deals_not_over_owners(sales, team):
    total = sales.leaders().total
    assert (total.won, total.lost, total.win_rate) == (4, 2, 4 / 6)
    assert money(total.values) == [("1050", "EUR"), ("400.50", "USD")]
    assert total.average_days_to_close == (10 + 30 + 2 + 3) / 4


def test_managers_and_offices_stand_for_their_people(sales, team):
    managers, offices = sales.leaders("manager"), sales.leaders("office")
    assert standing(managers.items) == [
        ("Dora Boss", 3, 1, [("50", "EUR"), ("400.50", "USD")], 0.75),
        (None, 1, 1, [("1000", "EUR")], 0.5),
    ]
    assert managers.items[0].id == str(team["boss"])
    assert managers.items[0].average_days_to_close == 14.0
    assert [(each.id, each.name, each.won, each.lost) for each in offices.items] == [
        ("West", "West", 3, 1),
        (None, None, 1, 1),
    ]
    assert managers.total == offices.total == sales.leaders().total


def test_teams_and_names_are_todays(sales, team):
    personal = UserPersonal(first_name="Ada", last_name="East")
    sales.tenancy.happens("user", team["ada"], UserEdited(personal=personal, manager=None, office="East"))
    assert [each.name for each in sales.leaders().items] == ["Bob West", "Ada East", "Cyd Free", None]
    assert [(each.name, each.won) for each in sales.leaders("office").items] == [("West", 1), ("East", 2), (None, 1)]


def test_equal_amounts_stand_by_name(sales):
    for name in ("Zoe", "Ada", "Moe"):
        owner = sales.user(name, "X")
        sales.deal((sales.opened(owner=owner), on("2017-01-01")), (sales.won("5"), on("2017-01-02")))
    assert [each.name for each in sales.leaders().items] == ["Ada X", "Moe X", "Zoe X"]


def test_close_dates_are_days_of_the_tenants_time_zone_both_included(sales):
    for hour in ("21:59", "22:00"):
        sales.deal((sales.opened(), on("2017-06-01")), (sales.won("1"), on("2017-06-30", hour)))

    def won(since: date | None, until: date | None, zone: str) -> Any:
        return sales.leaders(since=since, until=until, zone=zone).total.won

    last, first = date(2017, 6, 30), date(2017, 7, 1)
    assert (won(last, last, "UTC"), won(first, None, "UTC")) == (2, 0)
    assert (won(last, last, "Europe/Paris"), won(first, first, "Europe/Paris")) == (1, 1)
    assert (won(None, last, "Europe/Paris"), won(None, None, "Europe/Paris")) == (1, 2)
    assert (won(date.min, date.max, "Europe/Paris"), won(first, last, "UTC")) == (2, 0)


def test_days_between_two_local_dates_are_whole_over_a_change_to_summer_time(sales):
    start, end = on("2017-03-25", zone="Europe/Paris"), on("2017-03-27", zone="Europe/Paris")
    sales.deal((sales.opened(), start), (sales.won("1"), end))
    assert sales.leaders(zone="Europe/Paris").total.average_days_to_close == 2.0
    sales.deal((sales.opened(), on("2017-05-01")), (sales.won("1"), on("2017-05-01", "12:00")))
    assert sales.leaders(zone="Europe/Paris").total.average_days_to_close == 1.25


def test_a_reopened_deal_counts_as_it_was_closed_last_and_not_while_it_is_open(sales):
    deal = sales.deal(
        (sales.opened(), on("2017-01-01")), (sales.lost(), on("2017-01-02")), (sales.reopened(), on("2017-01-03"))
    )
    nothing = sales.leaders().total
    assert (nothing.won, nothing.lost, nothing.win_rate, nothing.average_days_to_close) == (0, 0, None, None)
    sales.tenancy.happens("deal", deal, sales.won("7"), at=on("2017-01-11"))
    total = sales.leaders().total
    assert (total.won, total.lost, total.average_days_to_close) == (1, 0, 10.0)
    assert sales.leaders(until=date(2017, 1, 10)).total.won == 0


def test_archived_deals_and_those_of_other_owners_do_not_count(sales, team):
    gone = sales.deal((sales.opened(owner=team["bob"]), on("2017-01-01")), (sales.won("1"), on("2017-01-02")))
    sales.tenancy.happens("deal", gone, DealArchived())
    sales.tenancy.project()
    assert sales.leaders().total.won == 4
    viewer = structs.replace(sales.tenancy.viewer, owners=frozenset({team["bob"]}))
    assert standing(leaderboard(sales.tenancy.database, viewer).items) == [("Bob West", 1, 0, [("300.50", "USD")], 1.0)]


def test_two_tenants_at_equal_positions_count_their_own(database, store):
    one, other = Sales(Tenancy(database, store)), Sales(Tenancy(database, store))
    for sales, amount in ((one, "1"), (other, "2")):
        owner = sales.user("Ada", amount)
        sales.deal((sales.opened(owner=owner), on("2017-01-01")), (sales.won(amount), on("2017-01-02")))
    assert one.tenancy.store.head(one.tenancy.id) == other.tenancy.store.head(other.tenancy.id)
    for sales, amount in ((one, "1"), (other, "2")):
        for as_of in (None, date(2017, 1, 2)):
            assert money(sales.shown(as_of)["Won"].values) == [(amount, "USD")]
        for by in ("owner", "manager", "office"):
            assert money(sales.leaders(by).total.values) == [(amount, "USD")]
        assert [each.name for each in sales.leaders().items] == [f"Ada {amount}"]


def test_only_live_generations_are_counted(sales, team):
    before, standings = sales.counts(), sales.leaders()
    sales.tenancy.generation = 2
    sales.deal((sales.opened(owner=team["bob"]), on("2017-01-01")), (sales.won("1"), on("2017-01-02")))
    sales.tenancy.happens("user", team["bob"], UserEdited(office="Being rebuilt"))
    assert sales.counts() == before
    assert sales.counts(owners=frozenset({team["bob"]})) == {"Engaging": 1, "Won": 1}
    assert sales.leaders() == standings
    assert [each.name for each in sales.leaders("office").items] == ["West", None]
