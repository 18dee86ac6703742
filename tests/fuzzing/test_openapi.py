"""Whatever the OpenAPI document allows, and what it doesn't, sent to every route of the running system: no fault, and
no answer that the document doesn't tell. To a viewer and an admin it opens itself."""

from collections import defaultdict

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from api.app import OPERATIONS, PREFIX
from api.openapi import document
from tests.fuzzing.records import a_record
from tests.journeys.system import EMAIL, PASSWORD, System

# What fits the description may still be refused, for what is in the log: by a status that it tells.
REFUSED = ["2xx", 401, 403, 404, 409, 412, 422, 429]
CONFIG = schemathesis.Config.from_dict({"checks": {"positive_data_acceptance": {"expected-statuses": REFUSED}}})
SCHEMA = schemathesis.openapi.from_dict(dict(document(OPERATIONS, PREFIX)), config=CONFIG)
# What says how much viewers see comes when all else has been tried.
TRIED = sorted(OPERATIONS, key=lambda each: each.name == "edit-tenant")
ROUTES = [(each.method, PREFIX + each.path.replace("{id:uuid}", "{id}")) for each in TRIED]
WHO = ("anonymous", "viewer", "admin")
EXAMPLES = 6
TENANT, VIEWER = "fuzzy", "viewer@example.com"


@pytest.fixture(scope="module")
def system(running_system):
    """The running system, with a tenant that these tests may do anything to."""
    running_system.make_tenant("Fuzzy Inc.", TENANT)
    viewer = {"first_name": "V", "last_name": "W", "email": VIEWER, "password": PASSWORD, "role": "viewer"}
    running_system.send("POST", "/users", viewer)
    return running_system


class Bearers:
    """Open sessions by role. Routes that end sessions are among those that are tried, so each is looked at before."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._known: dict[str, dict[str, str]] = {"anonymous": {}, "viewer": {}, "admin": {}}

    def of(self, who: str) -> dict[str, str]:
        """The headers of requests that somebody sends, whose session is open."""
        url, headers = "/api/v1/auth/me", self._known[who]
        if who != "anonymous" and (not headers or self._system.client.get(url, headers=headers).status_code == 401):
            body = {"email": VIEWER if who == "viewer" else EMAIL, "password": PASSWORD, "tenant": TENANT}
            answer = self._system.client.post("/api/v1/auth/login", json=body).raise_for_status()
            self._known[who] = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        return self._known[who]


@pytest.fixture(scope="module")
def bearers(system: System) -> Bearers:
    return Bearers(system)


@pytest.fixture(scope="module")
def answered() -> dict[tuple[str, str, str], set[int]]:
    """The statuses of what fitted the document, by who asked, method and path."""
    return defaultdict(set)


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize(("method", "path"), ROUTES, ids=lambda each: each)
def test_every_answer_is_one_that_the_document_tells(system, bearers, answered, method, path, who, mode):
    fits = mode is GenerationMode.POSITIVE
    system.client.headers.update(bearers.of("admin"))
    record = a_record(system, path.removeprefix(PREFIX), TENANT) if fits and "{id}" in path else None
    headers = bearers.of(who)

    @settings(
        max_examples=EXAMPLES,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=SCHEMA[path][method].as_strategy(generation_mode=mode))
    def every_case(case):
        if record is not None:
            case.path_parameters["id"] = record
        answer = case.call_and_validate(base_url=str(system.client.base_url).rstrip("/"), headers=headers)
        if fits:
            answered[who, method, path].add(answer.status_code)

    every_case()


def _opened(answered: dict[tuple[str, str, str], set[int]], who: str) -> set[tuple[str, str]]:
    """The routes that answered somebody with success."""
    tried = {(method, path) for each, method, path in answered if each == who}
    if tried != set(ROUTES):
        pytest.skip("not every route was tried")
    return {route for route in tried if any(status < 300 for status in answered[who, *route])}


def test_the_system_opened_itself_to_the_admin_and_much_of_it_to_the_viewer(answered):
    """Else the answers above say nothing. What chance doesn't open to an admin needs a secret, or names a record."""
    assert len(_opened(answered, "admin")) > 0.75 * len(ROUTES)
    reading = {route for route in ROUTES if route[0] == "GET"}
    assert len(_opened(answered, "viewer") & reading) > 0.75 * len(reading)


def test_nothing_but_what_is_public_opened_itself_to_somebody_without_a_session(answered):
    public = {route for route, operation in zip(ROUTES, TRIED, strict=True) if operation.public}
    assert _opened(answered, "anonymous") <= public
