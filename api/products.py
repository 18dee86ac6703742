"""Products over HTTP."""

from api.operations import Operation
from api.records import Records
from domain.products.commands import ArchiveProduct, CreateProduct, EditProduct, RestoreProduct
from projections.products.directory import PRODUCTS, ProductRow

RECORDS = Records(
    path="products",
    entity="product",
    directory=PRODUCTS,
    row=ProductRow,
    create=CreateProduct,
    edit=EditProduct,
    archive=ArchiveProduct,
    restore=RestoreProduct,
    example={"name": "GTX Pro", "code": "GTX-P", "family": "GTX", "prices": {"USD": "4821.00"}},
    edit_example={"prices": {"EUR": "4400.00", "USD": None}},
)

OPERATIONS: list[Operation] = RECORDS.operations()
