"""What can be asked of a product, and what it decides."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, ClassVar, assert_never

from msgspec import UNSET, Meta, UnsetType, field

from domain.currencies import check_currency
from domain.kernel import AlreadyExists, Archived, Claim, Command, NotFound, Reference, changes, given
from domain.neighbours import Neighbours
from domain.products.events import ProductArchived, ProductCreated, ProductEdited, ProductEvent, ProductRestored
from domain.products.state import Product
from domain.values import Currency, ExternalId, Label, Name, Text, check_amount, check_texts

Prices = Annotated[Mapping[Currency, Decimal], Meta(max_length=200, description="Currency → price of one unit")]
PriceEdits = Annotated[
    Mapping[Currency, Decimal | None],
    Meta(max_length=200, description="The prices that change; `null` takes one away"),
]


class CreateProduct(Command, frozen=True, kw_only=True):
    """Add a product to the catalogue."""

    PERMISSION: ClassVar[str] = "product:create"
    CREATES: ClassVar[bool] = True
    name: Name
    code: Label | None = None
    family: Label | None = None
    description: Text | None = None
    prices: Prices = field(default_factory=dict)
    active: bool = True
    external_id: ExternalId | None = None


class EditProduct(Command, frozen=True, kw_only=True):
    """Change fields of a product, and single prices of its list."""

    PERMISSION: ClassVar[str] = "product:update"
    name: Name | UnsetType = UNSET
    code: Label | UnsetType | None = UNSET
    family: Label | UnsetType | None = UNSET
    description: Text | UnsetType | None = UNSET
    prices: PriceEdits | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    external_id: ExternalId | UnsetType | None = UNSET


class ArchiveProduct(Command, frozen=True, kw_only=True):
    """Take a product out of the catalogue."""

    PERMISSION: ClassVar[str] = "product:delete"


class RestoreProduct(Command, frozen=True, kw_only=True):
    """Bring an archived product back into the catalogue."""

    PERMISSION: ClassVar[str] = "product:delete"


ProductCommand = CreateProduct | EditProduct | ArchiveProduct | RestoreProduct


def references(_command: ProductCommand, _state: Product | None) -> Sequence[Reference]:
    """A product refers to nothing else."""
    return ()


def claims(state: Product) -> frozenset[Claim]:
    """The values that no other product of the tenant may hold."""
    return frozenset({Claim("product.external_id", state.external_id)} if state.external_id else ())


def decide(command: ProductCommand, state: Product | None, _neighbours: Neighbours) -> list[ProductEvent]:
    """What a command makes of a product. Raises Invalid, Archived, AlreadyExists or NotFound."""
    check_texts(command)
    if isinstance(command, CreateProduct):
        if state is not None:
            raise AlreadyExists("This product is there already.")
        return [ProductCreated(**_settled(command, {}))]
    if state is None:
        raise NotFound("There is no such product.")
    match command:
        case EditProduct():
            if state.archived:
                raise Archived("This product is archived: restore it first.")
            changed = changes(_settled(command, state.prices), state)
            return [ProductEdited(**changed)] if changed else []
        case ArchiveProduct():
            return [] if state.archived else [ProductArchived()]
        case RestoreProduct():
            return [ProductRestored()] if state.archived else []
        case _ as never:
            assert_never(never)


def _settled(command: CreateProduct | EditProduct, listed: Mapping[str, Decimal]) -> dict[str, Any]:
    """The fields that a command sets, checked; prices that it doesn't name stay as they are `listed`."""
    fields = given(command)
    if "prices" in fields:
        for currency, price in fields["prices"].items():
            if price is not None:
                check_currency(currency, f"/prices/{currency}")
                check_amount(price, f"/prices/{currency}")
        prices = {**listed, **fields["prices"]}
        fields["prices"] = {currency: price for currency, price in prices.items() if price is not None}
    return fields
