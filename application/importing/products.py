"""Products out of rows."""

from typing import Any

from application.importing.building import command, edit, known, only
from application.importing.kinds import FLAG, NUMBER, TEXT, Circumstances, Kind, Step, Steps, Values
from application.importing.problems import rejected
from domain.products.commands import CreateProduct, EditProduct

FIELDS = {
    "name": TEXT,
    "code": TEXT,
    "family": TEXT,
    "description": TEXT,
    "price": NUMBER,
    "currency": TEXT,
    "active": FLAG,
}
_PRICE = ("price", "currency")


def create(values: Values, _circumstances: Circumstances) -> Steps:
    """A new product, its price in the row's currency."""
    fields = known(values)
    others = {name: value for name, value in fields.items() if name not in _PRICE}
    if "price" in fields:
        others["prices"] = _prices(values)
    return Steps((Step(command=command(CreateProduct, others, {"prices": "price"})),))


def change(values: Values, changed: frozenset[str], _product: Any, _circumstances: Circumstances) -> Steps:
    """What changed of a product; its prices in other currencies stay."""
    fields = only(values, changed, but=_PRICE)
    if changed.intersection(_PRICE) and "price" in values:
        fields["prices"] = _prices(values)
    edited = edit(EditProduct, fields, CreateProduct)
    return Steps((Step(command=edited),) if edited else ())


def _prices(values: Values) -> dict[str, Any]:
    if values.get("currency") is None:
        raise rejected("missing", "A price needs a currency: name one in the map.", "price")
    return {values["currency"]: values["price"]}


PRODUCTS = Kind(name="products", entity="product", fields=FIELDS, required=("name",), create=create, change=change)
