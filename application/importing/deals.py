"""Deals out of rows: what a deal is. Its way through the stages is in `deal_history`."""

from typing import Any

from msgspec import structs

from application.importing.building import assigned, command, edit, in_currency, known, only
from application.importing.deal_history import closing, moves, opening
from application.importing.kinds import (
    DAY,
    MOMENT,
    NUMBER,
    TEXT,
    WHOLE,
    Circumstances,
    Kind,
    Step,
    Steps,
    Values,
    to,
)
from domain.deals.commands import AssignDeal, EditDeal, OpenDeal
from domain.deals.state import Deal
from domain.neighbours import StageKind

FIELDS = {
    "name": TEXT,
    "owner": to("user"),
    "account": to("account"),
    "contact": to("contact"),
    "product": to("product"),
    "quantity": NUMBER,
    "unit_price": NUMBER,
    "discount": NUMBER,
    "amount": NUMBER,
    "won_amount": NUMBER,
    "currency": TEXT,
    "stage": TEXT,
    "opened": MOMENT,
    "closed": MOMENT,
    "reason": TEXT,
    "probability": WHOLE,
    "expected_close": DAY,
    "lead_source": TEXT,
    "next_step": TEXT,
    "description": TEXT,
}
_LINE = ("product", "quantity", "unit_price", "discount")
_PRICED = frozenset({"unit_price", "currency"})
_HISTORY = ("stage", "opened", "closed", "reason", "won_amount")
_ELSEWHERE = ("owner", "contact", *_LINE, *_HISTORY)
# A price that the file doesn't tell is not known: the product's of today would make up an amount.
_UNPRICED: dict[str, Any] = {"unit_price": None}
_POINTERS = {"lines": "product", "contacts": "contact"}


def create(values: Values, circumstances: Circumstances) -> Steps:
    """A new deal, and its closing where it is closed by now."""
    opened_in, at, field = opening(values, circumstances)
    fields = {name: value for name, value in known(values).items() if name not in _ELSEWHERE or name == "owner"}
    fields |= {"pipeline": circumstances.pipeline, "stage": opened_in.id}
    if values.get("contact"):
        fields["contacts"] = [{"contact": values["contact"]}]
    if values.get("product"):
        fields["lines"] = [_UNPRICED | known(values, _LINE)]
    opened = Step(command=command(OpenDeal, fields, _POINTERS), at=at, field=field)
    return Steps((opened, *closing(values, circumstances)))


def change(values: Values, changed: frozenset[str], deal: Deal, circumstances: Circumstances) -> Steps:
    """What changed of a deal: first where it stands, as of then, and the rest as of now."""
    moved = moves(values, changed, deal, circumstances)
    kind = _kind_after(moved, deal)
    if kind is StageKind.OPEN and changed.intersection(_PRICED) and None not in map(values.get, _PRICED):
        changed |= _PRICED  # the worth of an open deal follows from its line
    fields = only(values, changed, but=_ELSEWHERE)
    if changed.intersection(_LINE):
        fields["lines"] = _lines(values, changed, deal, circumstances)
    if "contact" in changed:
        fields["contacts"] = _contacts(values, deal)
    if kind is not StageKind.OPEN or values.get("probability") is None:
        fields.pop("probability", None)
    if deal.kind is kind is StageKind.WON and "won_amount" in changed:
        fields["amount"] = values["won_amount"]
    elif kind is StageKind.WON and values.get("won_amount") is not None:
        fields.pop("amount", None)
    fields = in_currency(fields, "amount", _worth(values, kind), values)
    if deal.kind is kind is StageKind.LOST and "reason" in changed:
        fields["lost_reason"] = values["reason"]
    pointers = _POINTERS | {"lost_reason": "reason"}
    edited = edit(EditDeal, fields, OpenDeal, pointers)
    steps = [*moved.steps, *((Step(command=edited),) if edited else ())]
    rest = assigned(AssignDeal, values, changed, steps)
    return Steps(rest.steps, (*moved.notes, *rest.notes))


def _worth(values: Values, kind: StageKind) -> Any:
    """What the row says that a deal of this kind is worth."""
    won = values.get("won_amount") if kind is StageKind.WON else None
    return values.get("amount") if won is None else won


def _kind_after(moved: Steps, deal: Deal) -> StageKind:
    if not moved.steps:
        return deal.kind
    outcome = getattr(moved.steps[-1].command, "outcome", None)
    return StageKind(outcome) if outcome else StageKind.OPEN


def _lines(values: Values, changed: frozenset[str], deal: Deal, circumstances: Circumstances) -> list[dict[str, Any]]:
    """The deal's lines, the one that an import made (the first) as the row now says; the others stay."""
    lines = [structs.asdict(line) for line in deal.lines]
    first = lines.pop(0) if lines and "product" in circumstances.had else {}
    if "product" in changed:
        first.pop("unit_price", None)
    first |= {name: values[name] for name in _LINE if name in changed}
    if first.get("product") is None:
        return lines
    return [{**_UNPRICED, **known(first), "description": None}, *lines]


def _contacts(values: Values, deal: Deal) -> list[dict[str, Any]]:
    """The row's contact before all others that the deal has."""
    others = [structs.asdict(each) for each in deal.contacts if each.contact != values["contact"]]
    return [{"contact": values["contact"]}, *others] if values["contact"] else others


DEALS = Kind(name="deals", entity="deal", fields=FIELDS, required=("name",), create=create, change=change)
