"""Whatever the OpenAPI document allows, and what it doesn't, sent to every route of the running system: no fault, and
no answer that the document doesn't tell."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from api.app import OPERATIONS, PREFIX
from api.openapi import document
from tests.journeys.system import EMAIL, PASSWORD, System

# What fits the description may still be refused, for what is in the log: by a status that it tells.
REFUSED = ["2xx", 401, 403, 404, 409, 412, 422, 429]
CONFIG = schemathesis.Config.from_dict({"checks": {"positive_data_acceptance": {"expected-statuses": REFUSED}}})
SCHEMA = schemathesis.openapi.from_dict(dict(document(OPERATIONS, PREFIX)), config=CONFIG)
ROUTES = [(each.method, PREFIX + each.path.replace("{id:uuid}", "{id}")) for each in OPERATIONS]
WHO = ("anonymous", "viewer", "admin")
EXAMPLES = 3


@pytest.fixture(scope="module")
def system(running_system):
    """The running system, with a tenant that these tests may do anything to."""
    running_system.run("tenant", "create", "Fuzzy Inc.", "--subdomain", "fuzzy", "--max-users", "0")
    running_system.run("seed", "admin", "--tenant", "fuzzy", "--email", EMAIL, "--password", PASSWORD)
    running_system.log_in("fuzzy")
    return running_system


@pytest.fixture(scope="module")
def tokens(system: System):
    """Access tokens by role."""
    viewer = {"first_name": "V", "last_name": "W", "email": "v@example.com", "password": PASSWORD, "role": "viewer"}
    system.client.post("/api/v1/users", json=viewer).raise_for_status()
    log_in = {"email": viewer["email"], "password": PASSWORD, "tenant": "fuzzy"}
    answer = system.client.post("/api/v1/auth/login", json=log_in).raise_for_status()
    admin = system.client.headers["Authorization"]
    return {"anonymous": None, "viewer": f"Bearer {answer.json()['access_token']}", "admin": admin}


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize(("method", "path"), ROUTES, ids=lambda each: each)
def test_every_answer_is_one_that_the_document_tells(system, tokens, method, path, who, mode):
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=SCHEMA[path][method].as_strategy(generation_mode=mode))
    def every_case(case):
        headers = {"Authorization": tokens[who]} if tokens[who] else {}
        case.call_and_validate(base_url=str(system.client.base_url).rstrip("/"), headers=headers)

    every_case()
