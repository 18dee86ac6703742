"""Products, to get and to list."""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from projections.directories import ARCHIVED, Column, Directory, Record, row_of, sort_key


class ProductRow(Record, frozen=True, kw_only=True):
    """A product as it is read; `prices` maps a currency to the price of one unit."""

    name: str
    code: str | None = None
    family: str | None = None
    description: str | None = None
    prices: Mapping[str, Decimal] = {}
    active: bool = True
    external_id: str | None = None


class ProductFilter(Struct, frozen=True, kw_only=True):
    """Which products to list; None matches all."""

    active: bool | None = None
    family: str | None = None
    archived: bool | None = False


PRODUCTS = Directory(
    name="products",
    entity="product",
    row=ProductRow,
    filters=ProductFilter,
    fold=lambda story: row_of(story, ProductRow),
    columns={
        "name_key": Column("text", lambda row: sort_key(row.name)),
        "code": Column("text"),
        "family": Column("text"),
        "active": Column("boolean"),
    },
    conditions={
        "active": "active = %(active)s",
        "family": "family = %(family)s",
        "archived": ARCHIVED,
    },
    sorts={"name": "name_key", "code": "code", "created_at": "created_at", "updated_at": "updated_at"},
    order="name",
)
