"""Who is told of which alert, and what is not told because something else is."""

import subprocess

import pytest

from tests.monitoring.files import ALERTS, MONITORING, loaded
from tests.monitoring.promql import selectors

CONFIGURATION = MONITORING / "alertmanager" / "alertmanager.yml"


def test_amtool_accepts_the_configuration_and_its_templates(prometheus_programs):
    checked = _amtool(prometheus_programs, "check-config", CONFIGURATION)
    assert checked.returncode == 0, checked.stderr
    assert "1 templates" in checked.stdout + checked.stderr


@pytest.mark.parametrize(("severity", "told"), [("critical", "pagerduty,slack"), ("warning", "slack")])
def test_critical_alerts_page_and_all_are_told_in_slack(prometheus_programs, severity, told):
    routed = _amtool(
        prometheus_programs, "config", "routes", "test", f"--config.file={CONFIGURATION}", f"severity={severity}"
    )
    assert routed.stdout.strip() == told


def test_the_secrets_are_in_files():
    text = CONFIGURATION.read_text()
    assert "routing_key_file: /run/secrets/" in text
    assert "slack_api_url_file: /run/secrets/" in text
    assert "hooks.slack.com" not in text


def test_what_inhibits_and_what_is_inhibited_are_alerts():
    for rule in loaded(CONFIGURATION)["inhibit_rules"]:
        sources, targets = (_fitting(rule[name]) for name in ("source_matchers", "target_matchers"))
        assert sources, rule
        assert targets, rule
        assert not sources & targets, rule


def test_what_is_parked_for_one_tenant_holds_back_no_alert_about_the_others():
    sources = [_fitting(rule["source_matchers"]) for rule in loaded(CONFIGURATION)["inhibit_rules"]]
    assert not [alerts for alerts in sources if "ProjectionParked" in alerts]


def _fitting(matchers) -> set[str]:
    """The alerts that matchers fit."""
    [asked] = selectors(f"ALERTS{{{','.join(matchers)}}}")
    return {rule.name for rule in ALERTS if asked.finds({"alertname": rule.name, **rule.labels})}


def _amtool(programs, *arguments):
    return subprocess.run([programs / "amtool", *arguments], capture_output=True, text=True, check=False)
