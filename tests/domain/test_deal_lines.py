"""The rules of a deal's product lines and contacts."""

from decimal import Decimal
from fractions import Fraction

import pytest
from msgspec import structs

from domain.deals.commands import EditDeal, OpenDeal
from domain.deals.events import DealContact, DealEdited, DealOpened, DealWon, Line
from domain.deals.lines import DealContactDraft, LineDraft
from domain.kernel import Invalid
from domain.neighbours import PipelineFacts, ProductFacts, StageFacts, StageKind
from tests.domain.specification import ENTITY_OF, fold, given, id_of, references_of

SALES, LEAD, WON, GTX = id_of(100), id_of(101), id_of(102), id_of(7)
NEIGHBOURS = {
    SALES: PipelineFacts(stages=(StageFacts(id=LEAD, name="Lead", kind=StageKind.OPEN, probability=10),)),
    GTX: ProductFacts(name="GTX", prices={"USD": Decimal(550)}),
}
OPENED = DealOpened(name="A", pipeline=SALES, stage=LEAD, probability=10, currency="USD")


def opening(*lines, **fields):
    command = OpenDeal(name="A", pipeline=SALES, lines=lines, **{"currency": "USD", **fields})
    return given().when(command, NEIGHBOURS)


def test_the_amount_is_what_the_lines_come_to():
    deal = opening(
        LineDraft(description="Service", quantity=Decimal(3), unit_price=Decimal("9.99"), discount=Decimal(10)),
        LineDraft(description="Travel", unit_price=Decimal(100)),
    ).then_one()
    assert deal.amount == Decimal("126.973")


def test_an_amount_that_is_named_stands():
    line = LineDraft(description="Service", unit_price=Decimal(5))
    assert opening(line, amount=Decimal(4)).then_one().amount == Decimal(4)


def test_a_line_takes_its_products_price_in_the_deals_currency():
    deal = opening(LineDraft(product=GTX, quantity=Decimal(2))).then_one()
    assert deal.lines == (Line(product=GTX, quantity=Decimal(2), unit_price=Decimal(550)),)
    assert deal.amount == Decimal(1100)


def test_a_price_that_is_named_stands():
    assert opening(LineDraft(product=GTX, unit_price=Decimal(1))).then_one().amount == Decimal(1)


@pytest.mark.parametrize(
    ("line", "currency"),
    [
        (LineDraft(product=GTX, unit_price=None), "USD"),
        (LineDraft(product=GTX), "EUR"),
        (LineDraft(product=GTX), None),
        (LineDraft(description="Service"), "USD"),
    ],
    ids=["said so", "no price in the currency", "no currency", "free text"],
)
def test_without_a_known_price_there_is_no_amount(line, currency):
    deal = opening(line, LineDraft(description="Travel", unit_price=Decimal(1)), currency=currency).then_one()
    assert deal.lines[0].unit_price is None
    assert deal.lines[0].total is None
    assert deal.amount is None


def test_other_lines_move_the_amount_of_an_open_deal():
    line = LineDraft(description="Service", unit_price=Decimal(5))
    recorded = Line(description="Service", unit_price=Decimal(5))
    given(OPENED).when(EditDeal(lines=(line,))).then(DealEdited(lines=(recorded,), amount=Decimal(5)))
    given(OPENED).when(EditDeal(lines=(line,), amount=None)).then(DealEdited(lines=(recorded,)))


def test_a_line_takes_the_price_in_the_currency_that_the_deal_gets():
    lines = (LineDraft(product=GTX),)
    in_dollars = given(OPENED).when(EditDeal(lines=lines), NEIGHBOURS).then_one()
    assert in_dollars.amount == Decimal(550)
    in_euros = given(OPENED).when(EditDeal(lines=lines, currency="EUR"), NEIGHBOURS).then_one()
    assert in_euros.lines == (Line(product=GTX),)


def test_the_same_lines_leave_a_negotiated_amount_alone():
    line = LineDraft(description="Service", unit_price=Decimal(5))
    edited = given(OPENED).when(EditDeal(lines=(line,), amount=Decimal(4))).then_one()
    given(OPENED, edited).when(EditDeal(lines=(line,))).then_nothing()


def test_taking_all_lines_away_leaves_the_amount():
    priced = DealEdited(lines=(Line(description="Service", unit_price=Decimal(5)),), amount=Decimal(5))
    given(OPENED, priced).when(EditDeal(lines=())).then(DealEdited(lines=()))


def test_lines_do_not_move_what_a_won_deal_was_worth():
    won = DealWon(previous=LEAD, stage=WON, amount=Decimal(9), currency="USD")
    line = LineDraft(description="Service", unit_price=Decimal(5))
    recorded = Line(description="Service", unit_price=Decimal(5))
    given(OPENED, won).when(EditDeal(lines=(line,))).then(DealEdited(lines=(recorded,)))


@pytest.mark.parametrize(
    "line",
    [LineDraft(), LineDraft(description=" "), LineDraft(product=GTX, description="both")],
    ids=["neither", "blank", "both"],
)
def test_a_line_is_a_product_or_a_text(line):
    opening(line).then_refused(Invalid, "/lines/0")


@pytest.mark.parametrize("amount", ["-1", "NaN", "sNaN", "Infinity", "1E+999999", "0.00001"])
@pytest.mark.parametrize("field", ["quantity", "unit_price", "discount"])
def test_the_numbers_of_a_line_are_amounts(field, amount):
    good = LineDraft(description="Service", unit_price=Decimal(1))
    bad = structs.replace(good, **{field: Decimal(amount)})
    opening(good, bad).then_refused(Invalid, f"/lines/1/{field}")
    given(OPENED).when(EditDeal(lines=(bad,))).then_refused(Invalid, f"/lines/0/{field}")


def test_a_quantity_is_above_0_and_a_discount_at_most_all():
    opening(LineDraft(product=GTX, quantity=Decimal(0))).then_refused(Invalid, "/lines/0/quantity")
    opening(LineDraft(product=GTX, discount=Decimal("100.1"))).then_refused(Invalid, "/lines/0/discount")
    assert opening(LineDraft(product=GTX, discount=Decimal(100))).then_one().amount == 0


def test_what_lines_come_to_stays_an_amount():
    most = Decimal("999999999999999.9999")
    opening(LineDraft(description="A", quantity=most, unit_price=most)).then_refused(Invalid, "/lines/0")
    lines = [LineDraft(description=each, unit_price=most) for each in "AB"]
    opening(*lines).then_refused(Invalid, "/lines")


def test_totals_are_exact_to_the_ten_thousandth():
    line = Line(quantity=Decimal("999999999.9999"), unit_price=Decimal("99999.9999"), discount=Decimal("33.3333"))
    quantity, price, discount = Fraction("999999999.9999"), Fraction("99999.9999"), Fraction("33.3333")
    exact = quantity * price * (100 - discount) / 100
    assert line.total is not None
    assert abs(Fraction(line.total) - exact) <= Fraction(1, 20_000)
    assert line.total.as_tuple().exponent == -4


def test_products_are_read_for_their_prices_and_may_stay_when_archived():
    sold = DealEdited(lines=(Line(product=GTX, unit_price=Decimal(5)),))
    entity = ENTITY_OF[EditDeal]
    command = EditDeal(lines=(LineDraft(product=GTX), LineDraft(product=id_of(8)), LineDraft(description="Travel")))
    stays, comes = entity.references(command, fold(entity, OPENED, sold))
    assert (stays.field, stays.id, stays.optional) == ("/lines/0/product", GTX, True)
    assert (comes.field, comes.id, comes.optional) == ("/lines/1/product", id_of(8), False)


def test_contacts_play_a_part_each():
    drafts = (DealContactDraft(contact=id_of(3), role="decision maker"), DealContactDraft(contact=id_of(4)))
    contacts = (DealContact(contact=id_of(3), role="decision maker"), DealContact(contact=id_of(4)))
    given(OPENED).when(EditDeal(contacts=drafts)).then(DealEdited(contacts=contacts))
    twice = (DealContactDraft(contact=id_of(3)), DealContactDraft(contact=id_of(3), role="influencer"))
    given(OPENED).when(EditDeal(contacts=twice)).then_refused(Invalid, "/contacts")


def test_only_contacts_that_are_new_in_the_deal_must_exist():
    known = DealEdited(contacts=(DealContact(contact=id_of(3)),))
    command = EditDeal(contacts=(DealContactDraft(contact=id_of(3)), DealContactDraft(contact=id_of(4))))
    assert references_of(command, OPENED, known) == [("/contacts/1/contact", "contact", id_of(4))]
