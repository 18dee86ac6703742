"""The rules of products."""

from decimal import Decimal

import pytest

from domain.kernel import AlreadyExists, Archived, Claim, Invalid, NotFound
from domain.products.commands import ArchiveProduct, CreateProduct, EditProduct, RestoreProduct, claims
from domain.products.events import ProductArchived, ProductCreated, ProductEdited, ProductRestored
from domain.products.state import Product
from tests.domain.specification import facts_of, given

BASIC = ProductCreated(name="GTX Basic", prices={"USD": Decimal(550)})


def test_creating_a_product_records_its_prices_per_currency():
    given().when(CreateProduct(name="GTX Basic", prices={"USD": Decimal(550)})).then(BASIC)


def test_a_product_is_created_once():
    given(BASIC).when(CreateProduct(name="GTX Basic")).then_refused(AlreadyExists)


@pytest.mark.parametrize("command", [EditProduct(), ArchiveProduct(), RestoreProduct()])
def test_a_product_that_is_not_there_is_not_found(command):
    given().when(command).then_refused(NotFound)


def test_prices_are_in_currencies_that_there_are():
    given().when(CreateProduct(name="GTX Basic", prices={"XYZ": Decimal(1)})).then_refused(Invalid, "/prices/XYZ")


def test_an_edit_changes_single_prices():
    given(BASIC).when(EditProduct(prices={"EUR": Decimal(500)})).then(
        ProductEdited(prices={"USD": Decimal(550), "EUR": Decimal(500)})
    )
    given(BASIC).when(EditProduct(prices={"USD": None})).then(ProductEdited(prices={}))
    given(BASIC).when(EditProduct(prices={"USD": Decimal("550.00"), "EUR": None})).then_nothing()


@pytest.mark.parametrize("price", ["-1", "NaN", "sNaN", "Infinity", "1E+999999"])
def test_a_price_is_an_amount(price):
    given().when(CreateProduct(name="A", prices={"USD": Decimal(price)})).then_refused(Invalid, "/prices/USD")
    given(BASIC).when(EditProduct(prices={"USD": Decimal(price)})).then_refused(Invalid, "/prices/USD")


def test_control_characters_are_refused():
    given().when(CreateProduct(name="A", code="\x1b")).then_refused(Invalid, "/code")


def test_an_archived_product_takes_no_change():
    given(BASIC, ProductArchived()).when(EditProduct(name="B")).then_refused(Archived)


def test_archiving_and_restoring():
    given(BASIC).when(ArchiveProduct()).then(ProductArchived())
    given(BASIC, ProductArchived()).when(ArchiveProduct()).then_nothing()
    given(BASIC, ProductArchived()).when(RestoreProduct()).then(ProductRestored())
    given(BASIC).when(RestoreProduct()).then_nothing()
    given(BASIC, ProductArchived(), ProductRestored()).when(EditProduct(name="B")).then(ProductEdited(name="B"))


def test_a_product_that_is_not_active_is_not_offered_to_deals():
    assert not facts_of("product", BASIC).archived
    assert facts_of("product", BASIC, ProductEdited(active=False)).archived
    assert facts_of("product", BASIC, ProductArchived()).archived


def test_an_external_id_is_claimed():
    assert claims(Product(name="A", external_id="x1")) == {Claim("product.external_id", "x1")}
    assert claims(Product(name="A")) == frozenset()
