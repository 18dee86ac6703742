"""Both verifications of a system over all real stores: they pass, and when a store is away they say which."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.journeys.conftest import TENANT
from tests.journeys.system import EMAIL, PASSWORD, System


def told(system: System, code: int, *arguments: str) -> Mapping[str, set[str]]:
    """Which checks came out how."""
    ended = system.run(*arguments, "--json")
    assert ended.returncode == code, (ended.stdout, ended.stderr)
    found: dict[str, set[str]] = {}
    for each in json.loads(ended.stdout):
        found.setdefault(each["result"], set()).add(each["check"])
    return found


def deployed(system: System, code: int, seconds: int) -> Mapping[str, set[str]]:
    """How `deploy verify` came out, where each read model had so many seconds to show the write."""
    file = system.place / "password"
    file.write_text(PASSWORD)
    who = ("--tenant", TENANT, "--email", EMAIL, "--password-file", str(file))
    return told(system, code, "deploy", "verify", *who, "--seconds", str(seconds))


@pytest.fixture
def warm(system: System) -> System:
    """The system, once each store has something."""
    system.wait_until_projected(60)
    return system


def test_a_system_over_real_stores_passes_both(warm):
    assert set(deployed(warm, 0, 60)) == {"ok"}
    warm.wait_until_projected(60)
    found = told(warm, 0, "verify", "services")
    assert {"MongoDB collections", "MongoDB indexes", "Elasticsearch templates", "Elasticsearch aliases"} <= found["ok"]
    # This Redis is one of tests, which writes nothing to disk; and a cluster with others' indices may be yellow.
    # The tests' passwords and plain HTTP are not for production, their Redis writes nothing, and their machine is busy.
    passing = {"environment", "Redis persistence", "Redis latency", "Elasticsearch health", "API"}
    assert found.get("warning", set()) <= passing


AWAY: Mapping[str, Any] = {
    "search": ({"core services", "endpoints", "search"}, "Elasticsearch health"),
    "audit": ({"core services", "endpoints", "audit trail"}, "MongoDB connection"),
}


@pytest.mark.parametrize("away", AWAY)
def test_a_store_that_is_away_fails_where_it_is_needed(warm, relays, away):
    wrong, check = AWAY[away]
    with relays[away].cut():
        assert deployed(warm, 1, 10)["failed"] == wrong
        found = told(warm, 1, "verify", "services")
    assert found["failed"] == {check}
    assert "API readiness" in found["warning"]
