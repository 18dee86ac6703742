"""Fixtures of the application's tests."""

from uuid import UUID

import pytest

from infrastructure.event_store import PostgresEventStore
from tests.application.importing import Office


@pytest.fixture
def office(store: PostgresEventStore, tenant: UUID) -> Office:
    """A tenant of one test that files are imported into."""
    return Office(store, tenant)
