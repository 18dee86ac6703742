"""The files of deploy/monitoring: rules and panels, and what each asks for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.architecture.sources import ROOT

MONITORING = ROOT / "deploy" / "monitoring"
CONFIGURATION = MONITORING / "prometheus" / "prometheus.yml"
RULES = sorted((MONITORING / "prometheus" / "rules").glob("*.yml"))
DASHBOARDS = sorted((MONITORING / "grafana" / "dashboards").glob("*.json"))


@dataclass(frozen=True)
class Rule:
    """An alert, or what is recorded under a name."""

    name: str
    expr: str
    is_alert: bool
    file: Path
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    lasts: str = "0s"


@dataclass(frozen=True)
class Asked:
    """An expression, and where it stands."""

    where: str
    expr: str


def loaded(path: Path) -> Any:
    """A YAML file's content."""
    return yaml.safe_load(path.read_text())


def _rules() -> list[Rule]:
    return [
        Rule(
            name=each.get("alert") or each["record"],
            expr=each["expr"],
            is_alert="alert" in each,
            file=path,
            labels=each.get("labels", {}),
            annotations=each.get("annotations", {}),
            lasts=each.get("for", "0s"),
        )
        for path in RULES
        for group in loaded(path)["groups"]
        for each in group["rules"]
    ]


ALERTS = [each for each in _rules() if each.is_alert]
RECORDED = [each for each in _rules() if not each.is_alert]


def panels(dashboard: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """A dashboard's panels, also those in rows."""
    return [
        panel
        for each in dashboard["panels"]
        for panel in ([each, *each.get("panels", [])] if each["type"] == "row" else [each])
        if panel["type"] != "row"
    ]


def asked_of_prometheus() -> list[Asked]:
    """Every expression of rules and panels."""
    of_panels = [
        Asked(f"{path.stem}: {panel['title']}", target["expr"])
        for path in DASHBOARDS
        for panel in panels(json.loads(path.read_text()))
        for target in panel["targets"]
        if target["datasource"]["type"] == "prometheus"
    ]
    return [Asked(rule.name, rule.expr) for rule in (*ALERTS, *RECORDED)] + of_panels
