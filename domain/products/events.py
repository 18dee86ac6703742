"""What happens to a product."""

from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar

from msgspec import UNSET, UnsetType

from domain.kernel import Event


class ProductCreated(Event, frozen=True, kw_only=True):
    """A product was added to the catalogue; `prices` maps a currency to the price of one unit."""

    TYPE: ClassVar[str] = "product.created.v1"
    name: str
    code: str | None = None
    family: str | None = None
    description: str | None = None
    prices: Mapping[str, Decimal] = {}
    active: bool = True
    external_id: str | None = None


class ProductEdited(Event, frozen=True, kw_only=True):
    """Some fields of a product became others; only those are set, `prices` as a whole."""

    TYPE: ClassVar[str] = "product.edited.v1"
    name: str | UnsetType = UNSET
    code: str | UnsetType | None = UNSET
    family: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    prices: Mapping[str, Decimal] | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    external_id: str | UnsetType | None = UNSET


class ProductArchived(Event, frozen=True, kw_only=True):
    """A product left the catalogue."""

    TYPE: ClassVar[str] = "product.archived.v1"


class ProductRestored(Event, frozen=True, kw_only=True):
    """An archived product is back in the catalogue."""

    TYPE: ClassVar[str] = "product.restored.v1"


ProductEvent = ProductCreated | ProductEdited | ProductArchived | ProductRestored
