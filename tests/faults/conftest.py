"""Fixtures of the engine's tests."""

from collections.abc import Iterator

import pytest

from tests.faults.projectors import Projectors
from tests.faults.stand import Stand
from tests.faults.stores import make_tables


@pytest.fixture(scope="session")
def heard_tables(urls) -> None:
    """The tables of the test projections, in the shared database."""
    make_tables(urls.owner)


@pytest.fixture
def stand(urls, heard_tables) -> Iterator[Stand]:
    """An engine over the shared database, with stores of its own."""
    stand = Stand(urls.app)
    yield stand
    stand.close()


@pytest.fixture
def projectors(stand, urls, redis_url) -> Iterator[Projectors]:
    """Wake-ups, a queue and a worker around that engine."""
    projectors = Projectors(stand, redis_url, urls.monitor)
    yield projectors
    projectors.forget()
    projectors.close()
