"""A file that is imported again: only what changed in it is written, and people's edits stay."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from domain.deals.commands import (
    ArchiveDeal,
    AssignDeal,
    CloseDeal,
    EditDeal,
    ReopenDeal,
)
from domain.deals.lines import LineDraft
from domain.identity.commands import CreateUser
from tests.application.dealing import DEALS, deals, stage_of

TODAY = f"{datetime.now(UTC):%Y-%m-%d}"
ENGAGING = "d1,,GTXPro,Isdom,Engaging,2017-01-10,,"
WON = "d1,,GTXPro,Isdom,Won,2017-01-10,2017-03-01,5000"
LOST = "d1,,GTXPro,Isdom,Lost,2017-01-10,2017-03-01,0"


@pytest.fixture
def deal(sales):
    """One deal that is engaging since January 2017."""
    sales.take("deals", DEALS, deals(ENGAGING))
    return sales


def again(office, row: str):
    return office.take("deals", DEALS, deals(row))


def ask(office, command) -> None:
    office.ask("deal", office.id("deal", "d1"), command)


def test_a_file_that_comes_again_writes_nothing(deal):
    again(deal, WON)
    before = len(deal.events())
    announced = list(deal.announced.positions)

    assert again(deal, WON).unchanged == 1
    assert len(deal.events()) == before
    assert deal.announced.positions == announced


def test_how_a_text_is_written_makes_no_change(deal):
    again(deal, WON)
    assert again(deal, WON.replace("5000", " 5000.00 ")).unchanged == 1


def test_a_deal_that_was_closed_meanwhile_is_closed_as_of_then(deal):
    assert again(deal, WON).changed == 1
    assert deal.history("deal", "d1") == [("deal.opened.v1", "2017-01-10"), ("deal.won.v1", "2017-03-01")]
    assert deal.record("deal", "d1").amount == 5000


def test_what_people_edited_stays_when_other_fields_change(deal):
    ask(deal, EditDeal(name="Our name", description="Ours"))
    assert again(deal, ENGAGING.replace("Isdom", "Acme")).changed == 1

    record = deal.record("deal", "d1")
    assert record.account == deal.id("account", "Acme")
    assert record.description == "Ours"
    assert record.name == "GTX Pro for Acme", "its template has changed"
    ask(deal, EditDeal(name="Our name"))
    again(deal, ENGAGING.replace("Isdom", "Acme").replace("Engaging", "Prospecting"))
    assert deal.record("deal", "d1").name == "Our name"


def test_what_people_closed_stays_closed_while_the_file_says_what_it_said(deal):
    ask(deal, CloseDeal(outcome="lost", reason="They went elsewhere"))
    assert again(deal, ENGAGING).unchanged == 1
    assert again(deal, ENGAGING.replace("GTXPro", "MG Special")).changed == 1
    assert deal.record("deal", "d1").kind == "lost"


def test_what_people_reopened_stays_open(deal):
    again(deal, WON)
    ask(deal, ReopenDeal())
    assert again(deal, WON.replace("5000", "6000")).unchanged == 1
    assert deal.record("deal", "d1").kind == "open"


def test_a_source_that_people_have_brought_in_already_is_only_noted_as_read(deal):
    ask(deal, EditDeal(account=deal.id("account", "Acme"), name="GTX Pro for Acme"))
    events = len(deal.events())

    assert again(deal, ENGAGING.replace("Isdom", "Acme")).unchanged == 1
    assert again(deal, ENGAGING.replace("Isdom", "Acme")).unchanged == 1
    assert len(deal.events()) == events
    ask(deal, EditDeal(account=None))
    assert again(deal, ENGAGING.replace("Isdom", "Acme")).unchanged == 1
    assert deal.record("deal", "d1").account is None


def test_a_cell_that_was_emptied_empties_its_field_but_not_one_that_it_never_filled(deal):
    owner = deal_owner(deal)
    again(deal, ENGAGING.replace("Isdom", ""))

    record = deal.record("deal", "d1")
    assert record.account is None
    assert record.owner == owner


def deal_owner(office):
    from uuid_utils.compat import uuid7

    user = uuid7()
    office.ask("user", user, CreateUser(first_name="Ada", last_name="Byron"))
    ask(office, AssignDeal(owner=user))
    return user


def test_the_line_of_the_file_follows_it_and_those_of_people_stay(deal):
    product = deal.record("deal", "d1").lines[0].product
    ask(deal, EditDeal(lines=(LineDraft(product=product), LineDraft(description="Set-up", unit_price=Decimal(10)))))
    again(deal, ENGAGING.replace("GTXPro", "MG Special"))

    first, second = deal.record("deal", "d1").lines
    assert (first.product, first.unit_price) == (deal.id("product", "MG Special"), None)
    assert second.description == "Set-up"


def test_a_won_deals_worth_follows_the_file(deal):
    again(deal, WON)
    again(deal, WON.replace("5000", "5100"))

    assert deal.record("deal", "d1").amount == 5100
    assert deal.history("deal", "d1")[-1] == ("deal.edited.v1", TODAY)


def test_a_later_closing_date_opens_the_deal_until_then(deal):
    again(deal, WON)
    told = again(deal, WON.replace("2017-03-01", "2017-05-05"))

    assert told.notes == {}
    assert deal.history("deal", "d1")[1:] == [
        ("deal.won.v1", "2017-03-01"),
        ("deal.reopened.v1", "2017-03-01"),
        ("deal.won.v1", "2017-05-05"),
    ]


@pytest.mark.parametrize(("date", "earlier"), [("2017-03-01", "2017-02-01"), ("2017-01-10", "2016-12-12")])
def test_an_earlier_date_of_what_happened_is_reported_and_changes_nothing(deal, date, earlier):
    again(deal, WON)
    events = len(deal.events())
    told = again(deal, WON.replace(date, earlier))

    (note,) = told.notes[2]
    assert note.column == ("closed" if date == "2017-03-01" else "engaged")
    assert "keeps its time" in note.reason
    assert len(deal.events()) == events
    assert again(deal, WON.replace(date, earlier)).notes == {}, "it is reported once"


def test_a_changed_opening_is_reported_when_the_closing_moved_too(deal):
    again(deal, LOST)
    told = again(deal, LOST.replace("2017-01-10", "2017-01-09").replace("2017-03-01", "2017-03-05"))

    (note,) = told.notes[2]
    assert (note.column, "keeps its time" in note.reason) == ("engaged", True)
    assert deal.history("deal", "d1")[0] == ("deal.opened.v1", "2017-01-10")
    assert deal.history("deal", "d1")[-1] == ("deal.lost.v1", "2017-03-05")


def test_a_changed_opening_is_reported_when_the_deal_was_closed_meanwhile(deal):
    told = again(deal, WON.replace("2017-01-10", "2017-01-09"))

    assert [note.column for note in told.notes[2]] == ["engaged"]
    assert deal.history("deal", "d1") == [("deal.opened.v1", "2017-01-10"), ("deal.won.v1", "2017-03-01")]


def test_a_date_before_the_last_event_takes_that_events_time_and_is_reported(deal):
    ask(deal, EditDeal(description="Edited today"))
    told = again(deal, WON)

    assert deal.history("deal", "d1")[-1] == ("deal.won.v1", TODAY)
    (note,) = told.notes[2]
    assert (note.column, note.reason[:10]) == ("closed", "2017-03-01")


def test_a_deal_that_was_not_lost_after_all_is_reopened_and_won(deal):
    again(deal, LOST)
    again(deal, WON.replace("2017-03-01", "2017-04-01"))

    assert [kind for kind, _ in deal.history("deal", "d1")] == [
        "deal.opened.v1",
        "deal.lost.v1",
        "deal.reopened.v1",
        "deal.won.v1",
    ]
    assert deal.history("deal", "d1")[-1] == ("deal.won.v1", "2017-04-01")


def test_a_deal_that_is_open_again_in_the_file_is_reopened_now(deal):
    again(deal, WON)
    again(deal, ENGAGING)
    assert deal.history("deal", "d1")[-1] == ("deal.reopened.v1", TODAY)
    assert stage_of(deal, "d1") == "Engaging"


def test_a_prospect_goes_through_engaging_to_won(sales):
    monday = datetime(2017, 1, 2, tzinfo=UTC)
    sales.take("deals", DEALS, deals("d1,,,,Prospecting,,,"), now=lambda: monday)
    told = sales.take("deals", DEALS, deals("d1,,,,Won,2017-01-10,2017-03-01,10"))

    assert [kind for kind, _ in sales.history("deal", "d1")] == [
        "deal.opened.v1",
        "deal.stage_changed.v1",
        "deal.won.v1",
    ]
    assert [note.column for note in told.notes[2]] == ["engaged", "closed"], "it was opened when it was imported"


def test_an_archived_deal_is_left_alone_until_its_row_changes(deal):
    ask(deal, ArchiveDeal())
    assert again(deal, ENGAGING).unchanged == 1
    assert again(deal, WON).reasons(2) == [(None, "archived")]


def test_another_map_adds_its_fields_and_forgets_none(deal):
    other = (
        'external_id = "id"\n[fields]\nname = "title"\nnext_step = "step"\n[pipeline]\nexternal_id="sales"\nname="x"\n'
    )
    deal.take("deals", other, "id,title,step\nd1,Title,Call\n")
    assert deal.record("deal", "d1").next_step == "Call"

    assert again(deal, ENGAGING).changed == 1, "both maps fill the name"
    assert again(deal, ENGAGING).unchanged == 1
