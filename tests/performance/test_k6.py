"""The load test's script against a running system, and what is said of k6's result."""

import json
from pathlib import Path

import pytest

from tests.fixtures import WIDE_LIMITS
from tests.journeys.system import environment, running
from tests.performance.k6 import summary
from tests.performance.k6.running import run
from tests.performance.populace import settle

CROSSED = Path(summary.__file__).with_name("a-gate-crossed.json")
"""What k6 wrote of a run in which searches took too long."""


@pytest.fixture
def system(fresh_urls, redis_url, elasticsearch_url, mongodb_url, tmp_path):
    variables = environment(fresh_urls, redis_url, elasticsearch_url, mongodb_url)
    for name in WIDE_LIMITS:
        variables.pop(name.upper())
    with running(variables, tmp_path) as started:
        yield started


def test_the_script_gets_the_answers_that_it_wants_within_the_limits(system, tmp_path):
    settle(system, tmp_path, contacts={"load-0": 60, "load-1": 60}, users=3)
    system.wait_until_projected(60)
    found = run(system, "try", tmp_path, tenants=2, users=3, contacts=60)
    assert found.metrics["checks"]["value"] == 1
    assert found.metrics["http_req_failed"]["value"] == 0
    for tag in summary.KINDS.values():
        assert found.metrics[f"http_req_duration{{{tag}}}"]["max"] > 0
    assert found.metrics["vus_max"]["value"] == 2, "each turn has a VU, and so an address and a user, of its own"
    rated = run(system, "try-rate", tmp_path, tenants=2, users=3, contacts=60)
    assert rated.metrics["http_reqs{scenario:arrivals}"]["count"] > 10
    assert rated.metrics["http_reqs{scenario:arrivals,kind:log-in}"]["count"] == 0, "each is logged in before"
    assert rated.metrics["http_reqs{name:/api/v1/auth/refresh}"]["count"] > 0, "a session goes on with new tokens"
    assert rated.metrics["checks"]["value"] == 1
    assert rated.metrics["vus_max"]["value"] == 3
    reached = rated.metrics["http_reqs{scenario:arrivals}"]["count"] / summary.GOAL_SECONDS
    assert f"not met {reached:.1f} requests a second (goal 100)\n" in rated.goal(), "without what came before"
    assert rated.goal().endswith("\nOur own goal: not met")
    rules = {(each.metric, each.rule) for each in found.thresholds}
    assert {
        ("http_req_duration{kind:get}", "p(95)<200"),
        ("http_req_duration{kind:get}", "p(99)<300"),
        ("http_req_duration{kind:search}", "p(95)<100"),
        ("http_req_duration{kind:post}", "p(95)<500"),
        ("http_req_failed", "rate<0.01"),
    } <= rules


def test_a_crossed_gate_is_told_and_fails_the_run():
    found = summary.load(CROSSED.read_text())
    assert not found.holds
    assert [each.metric for each in found.thresholds if not each.holds] == ["http_req_duration{kind:search}"]
    assert "FAILED http_req_duration{kind:search} p(95)<100: 220.2" in found.table("k6")
    assert "not met get p95 50.0 ms (goal 20 ms)" in found.goal()
    comment = found.comment("smoke")
    assert "### Load test (smoke): FAILED" in comment
    assert "| ❌ | `http_req_duration{kind:search}` | p(95)<100 | 220.2 |" in comment
    assert "| ✅ | `http_req_failed` | rate<0.01 | 0 |" in comment


def goal_run(*, requests: int = 6000, crossed: bool = False, **p95: float) -> summary.Summary:
    """What k6 would have written of a minute of our own goal, met but for what is given."""
    found = json.loads(CROSSED.read_text())
    metrics = found["metrics"]
    for kind, most in (summary.GOAL | p95).items():
        metrics[f"http_req_duration{{kind:{kind}}}"]["p(95)"] = most
    metrics["http_req_duration{kind:search}"]["thresholds"]["p(95)<100"] = False
    metrics["http_req_failed"]["thresholds"]["rate<0.01"] = crossed
    metrics["http_reqs{scenario:arrivals}"] = {"count": requests, "rate": 63, "thresholds": {"count>0": False}}
    return summary.load(json.dumps(found))


def test_our_own_goal_is_met_when_all_of_it_is():
    told = goal_run().goal()
    assert "not met" not in told
    assert "met     100.0 requests a second (goal 100)" in told
    assert told.endswith("\nOur own goal: met")


@pytest.mark.parametrize(
    ("found", "missed"),
    [
        (goal_run(requests=3600), "60.0 requests a second (goal 100)"),
        (goal_run(requests=5990), "99.8 requests a second (goal 100)"),
        (goal_run(get=20.1), "get p95 20.1 ms (goal 20 ms)"),
        (goal_run(post=50.1), "post p95 50.1 ms (goal 50 ms)"),
        (goal_run(search=30.1), "search p95 30.1 ms (goal 30 ms)"),
        (goal_run(crossed=True), "the gates above"),
    ],
)
def test_our_own_goal_is_not_met_when_one_part_is_not(found, missed):
    *parts, whole = found.goal().splitlines()
    assert [each for each in parts if not each.startswith("met ")] == [f"not met {missed}"]
    assert whole == "Our own goal: not met"


def test_a_run_whose_gates_all_hold_passes(tmp_path):
    text = CROSSED.read_text().replace('"p(95)<100": true', '"p(95)<100": false')
    found = summary.load(text)
    assert found.holds
    assert "### Load test (smoke): passed" in found.comment("smoke")


def test_a_summary_without_gates_does_not_pass():
    assert not summary.load('{"metrics": {"http_reqs": {"count": 0, "rate": 0}}}').holds
