"""Health, readiness and metrics, as machines ask for them."""

import re
from dataclasses import replace

import pytest
import redis
from litestar.testing import TestClient
from redis.backoff import NoBackoff
from redis.retry import Retry

from api.app import create
from infrastructure.postgres import Database
from tests.api.stand import API, metric, problem

NOWHERE = "postgresql://nobody:secret@127.0.0.1:1/nothing?connect_timeout=1"


def test_a_process_that_lives_says_so(client):
    assert (client.get("/live").status_code, client.get("/live").json()) == (200, {"status": "alive"})


def test_each_dependency_is_told_with_its_latency(client):
    answer = client.get("/ready")
    assert answer.status_code == 200
    told = answer.json()
    assert told["status"] == "ready"
    assert {each["name"] for each in told["dependencies"]} == {"postgresql", "redis", "search", "audit"}
    assert all(each["up"] and each["latency_ms"] > 0 for each in told["dependencies"])


@pytest.fixture
def without_redis(application):
    dead = redis.Redis(port=1, retry=Retry(NoBackoff(), 0))
    with TestClient(create(replace(application, redis=dead)), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def without_postgres(application):
    database = Database(NOWHERE, connections=1)
    with TestClient(create(replace(application, database=database)), raise_server_exceptions=False) as client:
        yield client
    database.close()


def test_without_redis_the_api_is_degraded_but_ready(without_redis, acme):
    answer = without_redis.get("/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    [down] = [each for each in answer.json()["dependencies"] if not each["up"]]
    assert (down["name"], down["error"], down["needed"]) == ("redis", "ConnectionError", False)
    bearer = {"Authorization": f"Bearer {acme.rep.token}"}
    assert without_redis.post(f"{API}/accounts", json={"name": "A"}, headers=bearer).status_code == 201
    assert "clientforge_queue_up 0.0" in without_redis.get("/metrics").text


def test_without_postgresql_nothing_is_ready_and_nothing_secret_is_told(without_postgres, acme):
    answer = without_postgres.get("/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert "secret" not in answer.text
    refused = without_postgres.get(f"{API}/auth/me", headers={"Authorization": f"Bearer {acme.rep.token}"})
    problem(refused, 503, "unavailable")
    assert refused.headers["retry-after"] == "1"
    assert "secret" not in refused.text


def test_metrics_count_requests_by_route_commands_and_appends(acme, client):
    created = 'clientforge_http_requests_total{method="POST",route="/api/v1/accounts",status="201"}'
    got = 'clientforge_http_requests_total{method="GET",route="/api/v1/accounts/{id}",status="404"}'
    missed = 'clientforge_http_requests_total{method="GET",route="(none)",status="404"}'
    timed = 'clientforge_http_request_duration_seconds_count{method="POST",route="/api/v1/accounts"}'
    ok = 'clientforge_commands_total{command="CreateAccount",outcome="ok"}'
    taken = 'clientforge_commands_total{command="CreateAccount",outcome="already_taken"}'
    conflicts = 'clientforge_append_conflicts_total{conflict="ClaimConflict"}'
    series = (created, got, missed, timed, ok, taken, conflicts, "clientforge_appends_total")
    before = {each: metric(client, each) for each in series}
    acme.rep.makes("/accounts", {"name": "A", "external_id": "counted"})
    acme.rep.post("/accounts", {"name": "B", "external_id": "counted"})
    acme.rep.get("/accounts/01900000-0000-7000-8000-00000000dead")
    client.get("/some/where")
    grown = {each: metric(client, each) - before[each] for each in series}
    assert grown == {**dict.fromkeys(series, 1), timed: 2}


def test_metrics_tell_lags_and_the_queue(client, acme):
    acme.rep.get(f"/accounts/{acme.rep.makes('/accounts', {'name': 'A'})}")
    text = client.get("/metrics").text
    for projection in ("accounts", "deals", "search", "audit"):
        for name in ("lag_events", "lag_seconds", "parked_tenants"):
            assert f'clientforge_projection_{name}{{projection="{projection}"}}' in text
    for name in ("queue_depth", "dead_letters", "queue_delayed", "queue_oldest_seconds"):
        assert f'clientforge_{name}{{queue="projections"}} ' in text
    assert re.search("^clientforge_workers ", text, re.MULTILINE)
    assert "clientforge_monitor_up 1.0" in text


def test_without_the_monitors_role_metrics_say_that_lags_can_not_be_read(application):
    settings = application.settings.model_copy(update={"database_monitor_url": None})
    with TestClient(create(replace(application, settings=settings))) as client:
        text = client.get("/metrics").text
    assert "clientforge_monitor_up 0.0" in text
    assert "clientforge_projection_lag" not in text


def test_metrics_name_no_tenant_and_all_are_ours(acme, client):
    text = client.get("/metrics").text
    assert str(acme.profile.id) not in text
    assert acme.profile.subdomain not in text
    assert all(line.startswith(("#", "clientforge_")) for line in text.splitlines())
    assert "tenant=" not in text


def test_an_odd_method_makes_no_series_of_its_own(client):
    client.request("BREW", "/live")
    assert "BREW" not in client.get("/metrics").text
