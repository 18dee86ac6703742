"""Grafana would take what it is provisioned with, as far as that can be told without it."""

import json
import re
import subprocess
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from tests.monitoring.files import DASHBOARDS, MONITORING, asked_of_prometheus, loaded, panels
from tests.monitoring.promql import without_variables

GRAFANA = MONITORING / "grafana"
SHOWS = {
    "api-performance": ("latency", "errors", "throughput"),
    "queue-health": ("messages", "dead letters", "processing time"),
    "database": ("slowest statements", "connection pool", "replication lag"),
    "infrastructure": ("cpu", "memory", "disk"),
    "projections": ("parked", "lag", "chain", "backup", "append"),
}
"""What each dashboard must have a panel about."""

each_dashboard = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)


def test_prometheus_loki_and_mongodb_are_provisioned():
    provisioned = loaded(GRAFANA / "provisioning" / "datasources" / "clientforge.yml")
    assert provisioned["apiVersion"] == 1
    types = {each["type"] for each in provisioned["datasources"]}
    assert types == {"prometheus", "loki", "grafana-mongodb-datasource"}
    assert all(each["name"] and each["uid"] and each["access"] == "proxy" for each in provisioned["datasources"])
    assert [each["name"] for each in provisioned["datasources"] if each.get("isDefault")] == ["Prometheus"]
    passwords = [each.get("secureJsonData", {}).get("password", "$") for each in provisioned["datasources"]]
    assert all(each.startswith("$") for each in passwords)


def test_there_is_a_dashboard_of_everything_that_was_promised():
    assert {path.stem for path in DASHBOARDS} == SHOWS.keys()
    dashboards = [json.loads(path.read_text()) for path in DASHBOARDS]
    assert len({each["uid"] for each in dashboards}) == len({each["title"] for each in dashboards}) == len(SHOWS)


@each_dashboard
def test_a_dashboard_shows_what_it_is_there_for(path: Path):
    titles = " ".join(panel["title"].lower() for panel in panels(json.loads(path.read_text())))
    assert [word for word in SHOWS[path.stem] if word not in titles] == []


@each_dashboard
def test_a_dashboard_is_whole(path: Path):
    dashboard = json.loads(path.read_text())
    assert re.fullmatch("[a-zA-Z0-9_-]{1,40}", dashboard["uid"])
    assert dashboard["title"]
    assert dashboard["schemaVersion"] >= 39
    shown = panels(dashboard)
    assert len({panel["id"] for panel in shown}) == len(shown)
    for panel in shown:
        assert panel["title"]
        assert panel["type"] in ("timeseries", "stat", "logs")
        references = [target["refId"] for target in panel["targets"]]
        assert references
        assert len(set(references)) == len(references)
        assert all(target["expr"] and target["datasource"] == panel["datasource"] for target in panel["targets"])


@each_dashboard
def test_no_panel_lies_over_another_or_beside_the_screen(path: Path):
    places = [panel["gridPos"] for panel in panels(json.loads(path.read_text()))]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert not [pair for pair in combinations(places, 2) if _overlap(*pair)]


@each_dashboard
def test_every_panel_asks_a_datasource_that_is_provisioned(path: Path):
    provisioned = loaded(GRAFANA / "provisioning" / "datasources" / "clientforge.yml")["datasources"]
    known = {(each["type"], each["uid"]) for each in provisioned}
    for panel in panels(json.loads(path.read_text())):
        assert (panel["datasource"]["type"], panel["datasource"]["uid"]) in known, panel["title"]


def test_prometheus_itself_understands_what_the_panels_ask(prometheus_programs, tmp_path):
    rules = [
        {"record": f"panel:{number}", "expr": without_variables(asked.expr)}
        for number, asked in enumerate(asked_of_prometheus())
    ]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    command = [prometheus_programs / "promtool", "check", "rules", tmp_path / "panels.yml"]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def _overlap(one, other) -> bool:
    return all(one[at] < other[at] + other[size] and other[at] < one[at] + one[size] for at, size in ("xw", "yh"))
