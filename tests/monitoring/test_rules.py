"""The rules as they are written: what each alert has to say, and that what it refers to is there."""

import re
import subprocess
from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from infrastructure.telemetry import Telemetry
from infrastructure.upkeep import TASKS
from tests.architecture.sources import ROOT
from tests.monitoring.files import ALERTS, CONFIGURATION, MONITORING, RECORDED, RULES, Rule, loaded
from tests.monitoring.measured import jobs, series
from tests.monitoring.promql import compared, selectors
from tests.monitoring.scraper import written

CATEGORIES = {"queue", "api", "database", "redis", "elasticsearch", "application", "security", "infrastructure"}
OURS = {"projections", "event-log"}
THRESHOLDS = {
    "QueueBacklog": "> 1000",
    "MessagesFailing": "> 50",
    "DeadLetters": "> 0",
    "GetLatencyHigh": "> 0.3",
    "WriteLatencyHigh": "> 0.8",
    "SearchLatencyHigh": "> 0.15",
    "ErrorShareHigh": "> 0.02",
    "ThroughputLow": "< 50",
}
"""What was promised, by the alert that keeps it."""


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule.name)
def test_every_alert_says_how_bad_it_is_what_it_means_and_where_to_read_on(rule: Rule):
    assert rule.labels.keys() == {"severity", "category"}
    assert rule.labels["severity"] in ("warning", "critical")
    assert rule.labels["category"] == rule.file.stem
    assert rule.annotations.keys() == {"summary", "description", "runbook_url"}
    path, _, anchor = rule.annotations["runbook_url"].partition("#")
    assert anchor in _anchors(path)


def test_the_runbook_has_nothing_about_alerts_that_are_gone():
    described = set(re.findall("^### (.+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE))
    assert described == {rule.name for rule in ALERTS}


def test_there_are_more_than_25_alerts_of_both_severities_in_every_category():
    assert len(ALERTS) >= 25
    severities = Counter((rule.labels["category"], rule.labels["severity"]) for rule in ALERTS)
    assert severities.keys() == set(product(CATEGORIES | OURS, ("warning", "critical")))
    assert max(Counter(rule.name for rule in ALERTS).values()) == 1


@pytest.mark.parametrize("name", THRESHOLDS)
def test_the_promised_thresholds_are_kept(name):
    [rule] = [rule for rule in ALERTS if rule.name == name]
    assert re.search(rf"{THRESHOLDS[name]}(?![0-9.])", rule.expr)


def test_shares_of_errors_are_shares_of_requests():
    [rule] = [rule for rule in RECORDED if rule.name == "clientforge:http_errors:ratio_rate5m"]
    errors, requests = rule.expr.rsplit("/", 1)
    assert 'status=~"5.."' in errors
    assert "clientforge:http_requests:rate5m > 0" in requests


@pytest.mark.parametrize("kind", ["Error", "Latency"])
def test_budgets_are_watched_over_several_windows(kind):
    windows = {
        rule.name: set(re.findall(r"slo:clientforge_burn:rate(\w+)", rule.expr))
        for rule in ALERTS
        if rule.name.startswith(f"{kind}Budget")
    }
    assert windows == {
        f"{kind}BudgetBurnsFast": {"1h", "5m"},
        f"{kind}BudgetBurns": {"6h", "30m"},
        f"{kind}BudgetBurnsSlowly": {"3d", "6h"},
    }


def test_every_task_of_upkeep_is_watched_for_its_outcome_and_for_its_age():
    asked = {
        (selector.metric, value)
        for rule in ALERTS
        for selector in selectors(rule.expr)
        for label, _, value in selector.matchers
        if label == "task"
    }
    assert asked == set(product(("clientforge_upkeep_ok", "clientforge_upkeep_age_seconds"), TASKS))


def test_what_alerts_wait_for_the_growth_of_begins_at_nothing():
    """A counter that is first seen at 1 has not grown, as Prometheus sees it: the first time would go unnoticed."""
    fresh = series(Telemetry().exposition().decode())
    unborn = [
        rule.name
        for rule in ALERTS
        if "increase(" in rule.expr
        for selector in selectors(rule.expr)
        if not any(selector.finds(labels) for labels in fresh.get(selector.metric, ()))
    ]
    assert unborn == []


def test_every_threshold_of_latency_is_a_bound_of_a_bucket():
    """Between two bounds a percentile is a guess: an alert would fire too late, or for nothing."""
    telemetry = Telemetry()
    telemetry.request_seconds.labels("GET", "/somewhere")
    telemetry.batch_seconds.labels("search")
    telemetry.message_seconds.labels("projections")
    telemetry.store_seconds.labels("search")
    found = series(telemetry.exposition().decode())
    asked = _thresholds_of_latency()
    assert len({metric for metric, _ in asked}) >= 3
    bounds = {(metric, float(labels["le"])) for metric, _ in asked for labels in found[metric]}
    assert asked - bounds == set()


def _thresholds_of_latency() -> set[tuple[str, float]]:
    """Each histogram's buckets with what an alert compares their percentile with, or what a rule picks one by."""
    buckets = {rule.name: _buckets(rule.expr) for rule in RECORDED if "histogram_quantile" in rule.expr}
    compared_with = {
        (bucket, number)
        for rule in ALERTS
        for metric, number in compared(rule.expr)
        for bucket in buckets.get(metric, _buckets(metric))
    }
    picked = {
        (selector.metric, float(value))
        for rule in (*ALERTS, *RECORDED)
        for selector in selectors(rule.expr)
        for label, _, value in selector.matchers
        if label == "le"
    }
    return compared_with | picked


def _buckets(expression: str) -> set[str]:
    return {each.metric for each in selectors(expression) if each.metric.endswith("_bucket")}


def test_everything_is_scraped_and_evaluated_every_15_seconds():
    configuration = loaded(CONFIGURATION)
    assert configuration["global"]["scrape_interval"] == configuration["global"]["evaluation_interval"] == "15s"
    [api] = [job for job in configuration["scrape_configs"] if job["job_name"] == "api"]
    assert api["dns_sd_configs"][0]["port"] == 3000
    assert api.get("metrics_path", "/metrics") == "/metrics"


def test_an_alert_tells_of_every_job_that_can_not_be_scraped():
    asked = [each for rule in ALERTS for each in selectors(rule.expr) if each.metric == "up"]
    assert [job for job in jobs() if not any(each.finds({"job": job}) for each in asked)] == []


def test_promtool_accepts_the_rules_and_the_configuration(prometheus_programs, tmp_path):
    jobs = [job["job_name"] for job in loaded(CONFIGURATION)["scrape_configs"]]
    here = written(tmp_path, dict.fromkeys(jobs, 1), "a token")
    promtool = prometheus_programs / "promtool"
    commands: tuple[list[str | Path], ...] = (
        ["check", "rules", "--lint=all", "--lint-fatal", *RULES],
        ["check", "config", "--syntax-only", CONFIGURATION],
        ["check", "config", here],
    )
    for command in commands:
        checked = subprocess.run([promtool, *command], capture_output=True, text=True, check=False, cwd=MONITORING)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def _anchors(path: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall("^#+ (.+)$", (ROOT / path).read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
