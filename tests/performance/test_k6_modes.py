"""What the modes of the load test's script promise, as the real k6 understands them."""

import json
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from tests.performance.k6 import summary
from tests.performance.k6.__main__ import MODES, TENANTS, USERS
from tests.performance.k6.running import FIRST_USERS, K6, SCRIPT

EVERY_LOAD = {
    "http_req_duration{kind:get}": ["p(95)<200", "p(99)<300"],
    "http_req_duration{kind:search}": ["p(95)<100"],
    "http_req_duration{kind:post}": ["p(95)<500"],
    "http_req_failed": ["rate<0.01"],
    "checks": ["rate>0.99"],
}
SECONDS = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
REQUESTS_PER_ACTION = 1.63


def inspected(mode):
    command: list[str | Path] = [K6, "inspect", "--execution-requirements", "-e", f"MODE={mode}", SCRIPT]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def seconds(duration):
    """Of a duration as Go writes it: 1m30s."""
    return sum(float(number) * SECONDS[unit] for number, unit in re.findall(r"([\d.]+)(ms|h|m|s)", duration or ""))


def turns(found):
    """When each begins and ends."""
    scenarios = found["scenarios"].values()
    assert {(each["executor"], each["vus"]) for each in scenarios} == {("constant-vus", 1)}
    return [(start, start + seconds(each["duration"])) for each in scenarios for start in [seconds(each["startTime"])]]


@pytest.mark.parametrize(("mode", "vus", "lasts"), [("smoke", 1, 30), ("full", 5, 120), ("warm", 5, 20)])
def test_as_many_are_at_work_at_any_moment_as_promised(mode, vus, lasts):
    found = inspected(mode)
    each = turns(found)
    moments = sorted({moment for turn in each for moment in turn})
    assert (moments[0], moments[-1]) == (0, lasts)
    at_work = {(start, end): sum(a <= start and end <= b for a, b in each) for start, end in pairwise(moments)}
    assert set(at_work.values()) == {vus}, at_work
    assert max(end - start for start, end in each) <= 10, "none comes to the limit of its user"
    assert found["maxVUs"] == len(each), "each turn has a VU of its own"


@pytest.mark.parametrize(
    ("mode", "rate", "lasts"), [("goal", summary.GOAL_RATE, summary.GOAL_SECONDS), ("soak", 50, 1800)]
)
def test_requests_arrive_as_often_and_as_long_as_promised(mode, rate, lasts):
    found = inspected(mode)["scenarios"]
    load = found["arrivals"]
    assert (load["executor"], load["timeUnit"], load["exec"]) == ("constant-arrival-rate", None, None)
    assert load["rate"] * REQUESTS_PER_ACTION == pytest.approx(rate, rel=0.02)
    assert seconds(load["duration"]) == lasts
    assert seconds(load["startTime"]) == seconds(found["ready"]["maxDuration"]), "everybody is logged in before"


@pytest.mark.parametrize("mode", [*MODES, "goal"])
def test_every_load_has_all_gates(mode):
    gates = inspected(mode)["thresholds"]
    assert {name: sorted(gates.get(name, [])) for name in EVERY_LOAD} == EVERY_LOAD


def test_the_full_load_has_to_come_to_more_than_a_hundred_requests_a_second():
    assert inspected("full")["thresholds"]["http_reqs"] == ["rate>100"]


@pytest.mark.parametrize("modes", [("warm", "full", "goal"), ("warm", "soak")])
def test_no_user_is_used_up_by_the_load_that_goes_before(modes):
    used = [
        (FIRST_USERS.get(mode, 0) + number) % (TENANTS * USERS)
        for mode in modes
        for number in range(inspected(mode)["maxVUs"])
    ]
    assert len(set(used)) == len(used)
