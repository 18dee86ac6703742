"""What is measured: by the system itself, as it was scraped, and by exporters, as they document it."""

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client.parser import text_string_to_metric_families

from tests.monitoring.files import MONITORING, Asked, recorded_labels
from tests.monitoring.promql import Labels, grouped_by, selectors

EXPORTERS = MONITORING / "exporter-metrics.txt"
OF_PROMETHEUS = {"up": {"job", "instance"}, "ALERTS": {"alertname", "alertstate", "severity", "category"}}
OF_TARGETS = {"job", "instance"}
"""Labels that Prometheus gives to all that it scrapes."""

Series = Mapping[str, Sequence[Labels]]


def series(*scraped: str) -> Series:
    """All series of what was scraped, by the metric's name."""
    found: dict[str, list[Labels]] = {}
    for text in scraped:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, []).append(sample.labels)
    return found


def of_exporters() -> dict[str, set[str]]:
    """The labels of each metric that an exporter has."""
    lines = [line.split() for line in EXPORTERS.read_text().splitlines() if line and not line.startswith("#")]
    return {name: set(labels) for name, *labels in lines}


def missing(asked: Iterable[Asked], ours: Series) -> list[str]:
    """What the expressions ask for that nobody measures."""
    named: dict[str, set[str]] = {**OF_PROMETHEUS, **of_exporters(), **recorded_labels()}
    return [complaint for each in asked for complaint in _missing(each, ours, named)]


def _missing(asked: Asked, ours: Series, named: Mapping[str, set[str]]) -> Iterable[str]:
    for selector in selectors(asked.expr):
        if selector.metric in named:
            for label in {name for name, _, _ in selector.matchers} - named[selector.metric] - OF_TARGETS:
                yield f"{asked.where}: {selector.metric} has no label {label}"
        elif selector.metric not in ours:
            yield f"{asked.where}: nothing is named {selector.metric}"
        elif not any(selector.finds(labels) for labels in ours[selector.metric]):
            yield f"{asked.where}: no series of {selector.metric} is like {selector.matchers}"
    for label, metrics in grouped_by(asked.expr):
        known = {name for metric in metrics for name in named.get(metric, ())}
        known |= {name for metric in metrics for labels in ours.get(metric, ()) for name in labels}
        if label not in known | OF_TARGETS:
            yield f"{asked.where}: none of {sorted(metrics)} has a label {label}"
