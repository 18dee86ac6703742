"""Fixtures of the application's tests."""

from uuid import UUID

import pytest

from infrastructure.event_store import PostgresEventStore
from tests.application.dealing import NAMES
from tests.application.importing import Office


@pytest.fixture
def office(store: PostgresEventStore, tenant: UUID) -> Office:
    """A tenant of one test that files are imported into."""
    return Office(store, tenant)


@pytest.fixture
def sales(office: Office) -> Office:
    """A tenant with accounts and products to sell."""
    office.take("accounts", NAMES, "name\nAcme\nIsdom\n")
    office.take("products", NAMES + 'price = "price"\n', "name,price\nGTX Pro,4821\nMG Special,55\n")
    return office
