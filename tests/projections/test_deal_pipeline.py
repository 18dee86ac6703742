"""The pipeline, now and as of any time, against figures worked out by hand."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec import structs
from uuid_utils.compat import uuid7

from domain.deals.events import (
    DealArchived,
    DealAssigned,
    DealEdited,
    DealRestored,
    DealStageChanged,
)
from domain.pipelines.events import PipelineArchived, PipelineEdited
from projections.deals.pipeline import InTheFuture, pipeline
from tests.projections.relational import Stages, Tenancy, on
from tests.projections.sales import NOW, Sales, money


@pytest.fixture
def sales(database, store) -> Sales:
    return Sales(Tenancy(database, store))


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
