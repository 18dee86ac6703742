"""A product as its events leave it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import assert_never

from msgspec import Struct, structs

from domain.kernel import given
from domain.products.events import ProductArchived, ProductCreated, ProductEdited, ProductEvent, ProductRestored


class Product(Struct, frozen=True, kw_only=True):
    """Something that is sold; one that isn't `active` is still known, but goes into no new deal."""

    name: str
    code: str | None = None
    family: str | None = None
    description: str | None = None
    prices: Mapping[str, Decimal] = {}
    active: bool = True
    external_id: str | None = None
    archived: bool = False


def evolve(state: Product | None, event: ProductEvent) -> Product | None:
    """The one fold of a product. An event of a product that never was made changes nothing."""
    if isinstance(event, ProductCreated):
        return Product(**given(event))
    if state is None:
        return None
    match event:
        case ProductEdited():
            return structs.replace(state, **given(event))
        case ProductArchived():
            return structs.replace(state, archived=True)
        case ProductRestored():
            return structs.replace(state, archived=False)
        case _ as never:
            assert_never(never)
