"""Deals out of a file: opened, engaged and closed when the file says so."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from msgspec import structs

from application.importing.problems import MapRefused
from domain.neighbours import StageKind
from domain.pipelines.commands import EditPipeline, StageDraft
from tests.application.dealing import DEALS, deals, name_of, stage_of


def test_a_won_deal_was_opened_when_it_was_engaged_and_won_when_it_was_closed(sales):
    assert sales.take("deals", DEALS, deals("d1,,GTXPro,Isdom,Won,2016-10-25,2017-03-11,4514")).all_went_in()

    assert sales.history("deal", "d1") == [("deal.opened.v1", "2016-10-25"), ("deal.won.v1", "2017-03-11")]
    deal = sales.record("deal", "d1")
    assert (deal.name, deal.kind, deal.amount, deal.currency) == ("GTX Pro for Isdom", "won", Decimal(4514), "USD")
    assert deal.account == sales.id("account", "Isdom")
    (line,) = deal.lines
    assert (line.product, line.quantity, line.unit_price) == (sales.id("product", "GTX Pro"), 1, None)


def test_a_won_deal_was_in_the_stage_of_opening_before(sales):
    sales.take("deals", DEALS, deals("d1,,,,Won,2016-10-25,2017-03-11,4514"))

    opened, _ = [each.event for each in sales.events() if each.entity == "deal"]
    assert name_of(sales, opened.stage) == "Engaging"
    assert opened.amount is None


def test_a_lost_deal_of_an_import_needs_no_reason(sales):
    assert sales.take("deals", DEALS, deals("d1,,MG Special,,Lost,2016-10-25,2017-03-11,0")).all_went_in()

    deal = sales.record("deal", "d1")
    assert (deal.kind, deal.lost_reason, deal.name) == (StageKind.LOST, None, "MG Special")
    assert deal.amount is None, "the file tells no value, so none is made up"


def test_an_open_deal_is_opened_in_its_stage_and_without_a_date_now(sales):
    assert sales.take("deals", DEALS, deals("d1,,,,Engaging,2016-10-25,,", "d2,,,,Prospecting,,,")).all_went_in()

    assert sales.history("deal", "d1") == [("deal.opened.v1", "2016-10-25")]
    assert sales.history("deal", "d2") == [("deal.opened.v1", f"{datetime.now(UTC):%Y-%m-%d}")]
    assert (stage_of(sales, "d1"), stage_of(sales, "d2")) == ("Engaging", "Prospecting")
    assert sales.record("deal", "d2").name == "Deal d2"


def test_a_closed_deal_without_an_opening_was_opened_when_it_was_closed(sales):
    sales.take("deals", DEALS, deals("d1,,,,Won,,2017-03-11,1", "d2,,,,Won,,,1"))

    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert sales.history("deal", "d1") == [("deal.opened.v1", "2017-03-11"), ("deal.won.v1", "2017-03-11")]
    assert sales.history("deal", "d2") == [("deal.opened.v1", today), ("deal.won.v1", today)]


def test_a_date_is_the_first_instant_of_that_day_where_the_tenant_is(sales):
    sales.take("deals", DEALS, deals("d1,,,,Engaging,2017-07-01,,"), zone="Asia/Tokyo")

    (opened,) = [each for each in sales.events() if each.entity == "deal"]
    assert opened.occurred_at == datetime(2017, 6, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "column", "code"),
    [
        ("d,,,,Won,2017-03-11,2017-03-10,1", "closed", "closed_before_opened"),
        ("d,,,,Won,2017-03-11,2999-03-10,1", "closed", "future_date"),
        ("d,,,,Engaging,2999-03-11,,", "engaged", "future_date"),
        ("d,,,,Engaging,2017-02-30,,", "engaged", "not_readable"),
        ("d,,,,Engaging,,2017-03-10,", "closed", "invalid_value"),
        ("d,,,,Won,,2017-03-10,", "value", "deal_value_required"),
        ("d,,,,Won,,2017-03-10,-5", "value", "invalid_value"),
        ("d,,,,Negotiating,,,", "stage", "no_such_stage"),
        ("d,Ann,,,Engaging,,,", "agent", "unknown_reference"),
        ("d,,Nothing,,Engaging,,,", "product", "unknown_reference"),
        (",,,,Engaging,,,", "id", "missing"),
    ],
)
def test_a_row_that_can_not_be_is_rejected_with_the_reason_at_its_column(sales, row, column, code):
    assert sales.take("deals", DEALS, deals(row)).reasons(2) == [(column, code)]
    assert sales.records("deal") == {}


def test_the_pipeline_and_its_stages_are_made_once(office):
    office.take("deals", DEALS, deals("d1,,,,Engaging,,,"))
    office.take("deals", DEALS, deals("d2,,,,Engaging,,,"))

    (pipeline,) = office.records("pipeline").values()
    assert [(stage.name, stage.kind, stage.probability) for stage in pipeline.stages] == [
        ("Prospecting", "open", 10),
        ("Engaging", "open", 50),
        ("Won", "won", 100),
        ("Lost", "lost", 0),
    ]
    assert not pipeline.default


def test_a_stage_that_is_missing_is_added_in_its_place(office):
    office.take("deals", DEALS, deals())
    more = DEALS.replace('{ name = "Won"', '{ name = "Proposing", probability = 70 },\n    { name = "Won"')
    office.take("deals", more, deals("d1,,,,Proposing,,,"))

    (pipeline,) = office.records("pipeline").values()
    assert [stage.name for stage in pipeline.stages] == ["Prospecting", "Engaging", "Proposing", "Won", "Lost"]
    assert stage_of(office, "d1") == "Proposing"


def test_a_stage_that_people_renamed_stays_the_one_that_the_file_means(office):
    office.take("deals", DEALS, deals("d1,,,,Engaging,,,"))
    ((id, pipeline),) = office.records("pipeline").items()
    drafts = [StageDraft(**structs.asdict(stage)) for stage in pipeline.stages]
    drafts[1] = StageDraft(id=drafts[1].id, name="Talking", probability=50)
    office.ask("pipeline", id, EditPipeline(stages=tuple(drafts)))
    events = len(office.events())

    assert office.take("deals", DEALS, deals("d1,,,,Engaging,,,")).unchanged == 1
    assert len(office.events()) == events
    office.take("deals", DEALS, deals("d2,,,,Engaging,,,"))
    assert stage_of(office, "d2") == "Talking"


def test_without_a_pipeline_in_the_map_deals_go_to_the_default_one(office):
    plain = 'external_id = "id"\n[fields]\nname = "id"\nstage = "stage"\n'
    told = office.take("deals", plain, "id,stage\nd1,Lead\n")
    assert told.reasons(2) == [("stage", "no_default_pipeline")]


def test_deals_can_not_be_opened_in_a_stage_that_closes_them(office):
    with pytest.raises(MapRefused, match="no open stage 'Won'"):
        office.take("deals", DEALS.replace('opened_in = "Engaging"', 'opened_in = "Won"'), deals())
    assert office.events() == []


def test_a_pipeline_needs_a_stage_of_each_kind(office):
    with pytest.raises(MapRefused, match="a stage of kind 'lost'"):
        office.take("deals", DEALS.replace('    { name = "Lost", kind = "lost", probability = 0 },\n', ""), deals())
