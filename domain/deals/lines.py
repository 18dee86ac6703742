"""What is sold in a deal, and to whom: as it is entered, and as it is recorded."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from domain.deals.events import DealContact, Line
from domain.kernel import Invalid, given
from domain.neighbours import Neighbours, ProductFacts
from domain.values import Label, Text, check_amount


class LineDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line as it is entered: a product or a free text, `discount` in percent of quantity × unit price.

    A `unit_price` that is left out is the product's in the deal's currency; `null` says that it isn't known.
    """

    product: UUID | None = None
    description: Text | None = None
    quantity: Decimal = Decimal(1)
    unit_price: Decimal | UnsetType | None = UNSET
    discount: Decimal = Decimal(0)


class DealContactDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A contact's part in a deal, such as decision maker, as it is entered."""

    contact: UUID
    role: Label | None = None


Lines = Annotated[tuple[LineDraft, ...], Meta(max_length=500)]
Contacts = Annotated[tuple[DealContactDraft, ...], Meta(max_length=100)]


def entered_contacts(drafts: Sequence[DealContactDraft]) -> tuple[DealContact, ...]:
    """The contacts of a deal. Raises Invalid where one is named twice."""
    if len({each.contact for each in drafts}) < len(drafts):
        raise Invalid("Each contact is named once.", field="/contacts")
    return tuple(DealContact(**given(each)) for each in drafts)


def entered_lines(drafts: Sequence[LineDraft], currency: str | None, neighbours: Neighbours) -> tuple[Line, ...]:
    """The lines of a deal in that currency, with the products' prices where they are asked for. Raises Invalid."""
    lines = []
    for number, draft in enumerate(drafts):
        _check(draft, f"/lines/{number}")
        line = _line(draft, currency, neighbours)
        if line.total is not None:
            check_amount(line.total, f"/lines/{number}")
        lines.append(line)
    return tuple(lines)


def amount_of(lines: Sequence[Line]) -> dict[str, Decimal]:
    """The amount that the lines come to; none while there is no line, or one whose price isn't known."""
    totals = [line.total for line in lines]
    known = [total for total in totals if total is not None]
    if not known or len(known) < len(totals):
        return {}
    amount = sum(known, Decimal(0))
    check_amount(amount, "/lines")
    return {"amount": amount}


def _line(draft: LineDraft, currency: str | None, neighbours: Neighbours) -> Line:
    line = Line(**given(draft))
    product = neighbours.get(draft.product) if draft.product else None
    if draft.unit_price is not UNSET or currency is None or not isinstance(product, ProductFacts):
        return line
    return structs.replace(line, unit_price=product.prices.get(currency))


def _check(draft: LineDraft, at: str) -> None:
    if (draft.product is None) == (not (draft.description and draft.description.strip())):
        raise Invalid("A line has either a product or a description.", field=at)
    check_amount(draft.quantity, f"{at}/quantity")
    if draft.quantity == 0:
        raise Invalid("A quantity must be above 0.", field=f"{at}/quantity")
    if isinstance(draft.unit_price, Decimal):
        check_amount(draft.unit_price, f"{at}/unit_price")
    check_amount(draft.discount, f"{at}/discount")
    if draft.discount > 100:
        raise Invalid("A discount is at most 100 percent.", field=f"{at}/discount")
