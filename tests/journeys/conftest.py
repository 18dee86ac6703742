"""A system with a tenant, each of whose stores beside PostgreSQL and Redis is behind a relay."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from uuid import UUID

import pytest

from tests.journeys.relay import Relay
from tests.journeys.system import System, environment, running

TENANT = "journeys"


@pytest.fixture(scope="module")
def relays(elasticsearch_url, mongodb_url) -> Iterator[Mapping[str, Relay]]:
    """The relays to the stores, by the projection that writes there."""
    with closing(Relay(elasticsearch_url)) as search, closing(Relay(mongodb_url)) as audit:
        yield {"search": search, "audit": audit}


@pytest.fixture(scope="module")
def system(copied_urls, redis_url, relays, tmp_path_factory) -> Iterator[System]:
    """The system of a module. Batches are small and pauses short, so that there are many of both."""
    variables = {
        **environment(copied_urls, redis_url, relays["search"].url, relays["audit"].url),
        "PROJECTION_BATCH": "50",
        "RETRY_BASE_SECONDS": "0.2",
        "RETRY_LIMIT": "2",
    }
    with running(variables, tmp_path_factory.mktemp("journey")) as system:
        system.make_tenant("Journeys Inc.", TENANT)
        yield system


@pytest.fixture(scope="module")
def tenant(system) -> UUID:
    """The tenant's id."""
    return UUID(system.get("/auth/me")["tenant"]["id"])
