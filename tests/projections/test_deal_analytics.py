"""The pipeline and the leaderboard against figures worked out by hand."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from msgspec import structs
from uuid_utils.compat import uuid7

from domain.deals.events import (
    DealArchived,
    DealAssigned,
    DealEdited,
    DealEvent,
    DealLost,
    DealOpened,
    DealReopened,
    DealRestored,
    DealStageChanged,
    DealWon,
)
from domain.identity.events import UserCreated, UserEdited, UserPersonal
from domain.permissions import Role
from domain.pipelines.events import PipelineArchived, PipelineEdited
from projections.deals.leaderboard import By, Leaderboard, Standing, leaderboard
from projections.deals.pipeline import InTheFuture, StageTotals, pipeline
from tests.projections.relational import Stages, Tenancy, on

NOW = datetime.now(UTC)


class Sales:
    """A tenancy with a pipeline, and the deals that move in it."""

    def __init__(self, tenancy: Tenancy) -> None:
        self.tenancy = tenancy
        self.stages = Stages()
        tenancy.happens("pipeline", self.stages.pipeline, self.stages.created(default=True))

    def opened(self, amount: str | None = None, currency: str | None = "USD", **fields: Any) -> DealOpened:
        """A deal begins in 'Engaging', at 50 %."""
        return DealOpened(
            name="Deal",
            pipeline=self.stages.pipeline,
            stage=self.stages.engaging,
            probability=50,
            amount=None if amount is None else Decimal(amount),
            currency=currency,
            **fields,
        )

    def won(self, amount: str, currency: str = "USD") -> DealWon:
        """It is won."""
        return DealWon(previous=self.stages.engaging, stage=self.stages.won, amount=Decimal(amount), currency=currency)

    def lost(self) -> DealLost:
        """It is lost."""
        return DealLost(previous=self.stages.engaging, stage=self.stages.lost)

    def moved(self, stage: UUID) -> DealStageChanged:
        """It moves to another open stage, at 10 %."""
        return DealStageChanged(
            previous=self.stages.engaging, pipeline=self.stages.pipeline, stage=stage, probability=10
        )

    def reopened(self) -> DealReopened:
        """It is open again, at 50 %."""
        return DealReopened(previous=self.stages.lost, stage=self.stages.engaging, probability=50)

    def deal(self, *events: tuple[DealEvent, datetime]) -> UUID:
        """A deal to which each of these happens then."""
        facts, instants = zip(*events, strict=True)
        return self.tenancy.happens("deal", uuid7(), *facts, at=instants)

    def shown(self, as_of: date | datetime | None = None, zone: str = "UTC", **viewer: Any) -> dict[str, StageTotals]:
        """The pipeline's stages by their names."""
        self.tenancy.project()
        seen = structs.replace(self.tenancy.viewer, time_zone=zone, **viewer)
        return {str(each.stage): each for each in pipeline(self.tenancy.database, seen, now=NOW, as_of=as_of).stages}

    def counts(self, as_of: date | datetime | None = None, zone: str = "UTC", **viewer: Any) -> Mapping[str, int]:
        """How many deals are in each stage that has any."""
        return {name: each.deals for name, each in self.shown(as_of, zone, **viewer).items() if each.deals}

    def leaders(self, by: By = "owner", zone: str = "UTC", **asked: Any) -> Leaderboard:
        """The leaderboard."""
        self.tenancy.project()
        viewer = structs.replace(self.tenancy.viewer, time_zone=zone)
        return leaderboard(self.tenancy.database, viewer, by=by, **asked)

    def user(self, first: str, last: str, **fields: Any) -> UUID:
        """A user of that name."""
        personal = UserPersonal(first_name=first, last_name=last)
        return self.tenancy.happens("user", uuid7(), UserCreated(personal=personal, role=Role.REP, **fields))


@pytest.fixture
def sales(database, store) -> Sales:
    return Sales(Tenancy(database, store))


def money(values: Any) -> list[tuple[str, str | None]]:
    return [(str(each.amount), each.currency) for each in values]


def test_every_stage_shows_in_order_with_nothing_in_it(sales):
    sales.tenancy.project()
    shown = pipeline(sales.tenancy.database, sales.tenancy.viewer, now=NOW)
    assert shown.as_of == NOW
    assert [(each.pipeline, each.stage, each.kind, each.probability) for each in shown.stages] == [
        ("Sales", "Prospecting", "open", 10),
        ("Sales", "Engaging", "open", 50),
        ("Sales", "Won", "won", 100),
        ("Sales", "Lost", "lost", 0),
    ]
    assert all((each.deals, each.values, each.weighted) == (0, [], []) for each in shown.stages)
    assert shown.stages[0].pipeline_id == sales.stages.pipeline
    assert shown.stages[0].stage_id == sales.stages.new


def test_values_are_added_per_currency_exactly_and_never_across(sales):
    for amount, currency in (("100.10", "USD"), ("0.20", "USD"), ("7", "EUR"), ("5", None)):
        sales.deal((sales.opened(amount, currency), on("2017-01-01")))
    sales.deal((sales.opened(None), on("2017-01-01")))
    engaging = sales.shown()["Engaging"]
    assert engaging.deals == 5
    assert money(engaging.values) == [("7", "EUR"), ("100.30", "USD"), ("5", None)]
    assert money(engaging.weighted) == [("3.5", "EUR"), ("50.15", "USD"), ("2.5", None)]


def test_sums_of_the_largest_amounts_stay_exact(sales):
    for _ in range(2):
        sales.deal((sales.opened("999999999999999.9999"), on("2017-01-01")))
    engaging = sales.shown()["Engaging"]
    assert money(engaging.values) == [("1999999999999999.9998", "USD")]
    assert money(engaging.weighted) == [("999999999999999.9999", "USD")]


def test_pipelines_come_default_first_then_by_name_and_archived_ones_only_with_deals(sales):
    for name in ("zebra", "Apple"):
        other = Stages()
        sales.tenancy.happens("pipeline", other.pipeline, other.created(name))
    gone, empty = Stages(), Stages()
    sales.tenancy.happens("pipeline", gone.pipeline, gone.created("Gone"), PipelineArchived())
    sales.tenancy.happens("pipeline", empty.pipeline, empty.created("Empty"), PipelineArchived())
    moved = DealStageChanged(previous=sales.stages.engaging, pipeline=gone.pipeline, stage=gone.new, probability=10)
    sales.deal((sales.opened("1"), on("2017-01-01")), (moved, on("2017-01-02")))
    sales.tenancy.project()
    shown = pipeline(sales.tenancy.database, sales.tenancy.viewer, now=NOW).stages
    assert [each.pipeline for each in shown] == ["Sales"] * 4 + ["Apple"] * 4 + ["Gone"] + ["zebra"] * 4
    assert [each.deals for each in shown if each.pipeline == "Gone"] == [1]


def test_labels_are_todays_even_as_of_a_day_before_they_changed(sales):
    sales.deal((sales.opened("1"), on("2017-01-01")))
    stages = tuple(
        structs.replace(stage, name=stage.name.upper(), probability=42) for stage in sales.stages.created().stages
    )
    sales.tenancy.happens("pipeline", sales.stages.pipeline, PipelineEdited(name="Renamed", stages=stages))
    engaging = sales.shown(date(2017, 1, 1))["ENGAGING"]
    assert (engaging.pipeline, engaging.deals, engaging.probability) == ("Renamed", 1, 42)
    assert money(engaging.weighted) == [("0.5", "USD")]


def test_a_deal_is_open_from_its_engage_date_on_and_won_from_its_close_date_on(sales):
    sales.deal((sales.opened(), on("2017-03-01")), (sales.won("1054"), on("2017-06-30")))
    assert sales.counts(date(2017, 2, 28)) == {}
    assert sales.counts(date(2017, 3, 1)) == {"Engaging": 1}
    assert sales.counts(date(2017, 6, 29)) == {"Engaging": 1}
    assert sales.counts(date(2017, 6, 30)) == {"Won": 1}
    assert sales.counts() == {"Won": 1}
    assert money(sales.shown(date(2017, 6, 29))["Engaging"].values) == []
    assert money(sales.shown(date(2017, 6, 30))["Won"].weighted) == [("1054", "USD")]


def test_an_instant_is_taken_as_it_is(sales):
    sales.deal((sales.opened(), on("2017-03-01", "12:00")), (sales.lost(), on("2017-03-01", "13:00")))
    assert sales.counts(on("2017-03-01", "11:59")) == {}
    assert sales.counts(on("2017-03-01", "12:00")) == {"Engaging": 1}
    assert sales.counts(on("2017-03-01", "13:00") - timedelta(microseconds=1)) == {"Engaging": 1}
    assert sales.counts(on("2017-03-01", "13:00")) == {"Lost": 1}


def test_a_day_ends_at_midnight_of_the_tenants_time_zone(sales):
    sales.deal((sales.opened(), on("2017-03-01", "22:59")))
    sales.deal((sales.opened(), on("2017-03-01", "23:00")))
    assert sales.counts(date(2017, 3, 1), "UTC") == {"Engaging": 2}
    assert sales.counts(date(2017, 3, 1), "Europe/Paris") == {"Engaging": 1}
    assert sales.counts(date(2017, 3, 2), "Europe/Paris") == {"Engaging": 2}
    assert sales.counts(date(2017, 2, 28), "Pacific/Honolulu") == {}


def test_a_day_of_25_hours_ends_when_summer_time_does(sales):
    sales.deal((sales.opened(), on("2017-10-29", "22:59")))
    sales.deal((sales.opened(), on("2017-10-29", "23:00")))
    assert sales.counts(date(2017, 10, 29), "Europe/Paris") == {"Engaging": 1}


def test_the_future_is_refused_and_today_is_not(sales):
    viewer = sales.tenancy.viewer
    for as_of in (NOW.date() + timedelta(days=1), NOW + timedelta(seconds=1), date.max):
        with pytest.raises(InTheFuture):
            pipeline(sales.tenancy.database, viewer, now=NOW, as_of=as_of)
    sales.tenancy.happens("deal", uuid7(), sales.opened())
    assert sales.counts(datetime.now(UTC).date() if datetime.now(UTC).date() == NOW.date() else None) == {"Engaging": 1}
    assert sales.counts(date.min) == {}


def test_events_of_one_instant_make_one_period_without_a_trace_of_those_between(sales):
    day = on("2017-05-01")
    sales.deal((sales.opened("1"), day), (sales.moved(sales.stages.new), day), (sales.lost(), day))
    assert sales.counts(date(2017, 5, 1)) == {"Lost": 1}
    assert sales.counts(day - timedelta(microseconds=1)) == {}
    assert len(sales.tenancy.rows()["deal_periods"]) == 1


def test_an_edit_of_what_is_not_counted_makes_no_period(sales):
    deal = sales.deal((sales.opened("1"), on("2017-01-01")))
    for number, event in enumerate((DealEdited(name="Other"), DealAssigned(previous=None, owner=uuid7()))):
        sales.tenancy.happens("deal", deal, event, at=on(f"2017-02-0{number + 1}"))
    sales.tenancy.project()
    assert len(sales.tenancy.rows()["deal_periods"]) == 1


def test_values_and_probabilities_are_those_of_then(sales):
    sales.deal(
        (sales.opened("100"), on("2017-01-01")),
        (DealEdited(amount=Decimal(200), currency="EUR"), on("2017-02-01")),
        (DealEdited(probability=90), on("2017-03-01")),
    )
    values = {month: sales.shown(date(2017, month, 1))["Engaging"] for month in (1, 2, 3)}
    assert [money(each.values) for each in values.values()] == [[("100", "USD")], [("200", "EUR")], [("200", "EUR")]]
    assert [money(each.weighted) for each in values.values()] == [[("50", "USD")], [("100", "EUR")], [("180", "EUR")]]


def test_a_reopened_deal_is_lost_in_between_only(sales):
    sales.deal(
        (sales.opened("1"), on("2017-01-01")),
        (sales.lost(), on("2017-02-01")),
        (sales.reopened(), on("2017-03-01")),
        (sales.won("9"), on("2017-04-01")),
    )
    stages = [dict(sales.counts(date(2017, month, 15))) for month in (1, 2, 3, 4)]
    assert stages == [{"Engaging": 1}, {"Lost": 1}, {"Engaging": 1}, {"Won": 1}]


def test_an_archived_deal_does_not_count_while_it_is_archived(sales):
    sales.deal(
        (sales.opened("1"), on("2017-01-01")),
        (DealArchived(), on("2017-02-01")),
        (DealRestored(), on("2017-03-01")),
    )
    stages = [dict(sales.counts(date(2017, month, 15))) for month in (1, 2, 3)]
    assert stages == [{"Engaging": 1}, {}, {"Engaging": 1}]


def test_history_that_is_recorded_late_counts_when_it_happened(sales):
    first = sales.deal((sales.opened("1"), on("2017-05-01")))
    sales.tenancy.project()
    sales.deal((sales.opened("2"), on("2017-01-01")))
    sales.tenancy.happens("deal", first, sales.lost(), at=on("2017-06-01"))
    assert sales.counts(date(2017, 1, 1)) == {"Engaging": 1}
    assert sales.counts(date(2017, 5, 1)) == {"Engaging": 2}
    assert sales.counts(date(2017, 6, 1)) == {"Engaging": 1, "Lost": 1}


def test_an_event_that_would_lie_before_the_one_before_it_counts_with_that_one(sales):
    sales.deal((sales.opened("1"), on("2017-05-01")), (sales.lost(), on("2017-04-01")))
    assert sales.counts(date(2017, 4, 30)) == {}
    assert sales.counts(date(2017, 5, 1)) == {"Lost": 1}


def test_a_viewer_of_some_owners_counts_their_deals_of_today(sales):
    mine, theirs = uuid7(), uuid7()
    sales.deal((sales.opened("1", owner=mine), on("2017-01-01")))
    sales.deal(
        (sales.opened("1", owner=theirs), on("2017-01-01")),
        (DealAssigned(previous=theirs, owner=mine), on("2017-02-01")),
    )
    sales.deal((sales.opened("1", owner=theirs), on("2017-01-01")))
    sales.deal((sales.opened("1"), on("2017-01-01")))
    assert sales.counts(date(2017, 1, 1), owners=frozenset({mine})) == {"Engaging": 2}
    assert sales.counts(owners=frozenset({theirs})) == {"Engaging": 1}
    assert sales.counts(owners=frozenset()) == {}


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
