"""What is measured: by the system itself, as it was scraped, and by exporters, as they document it."""

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client.parser import text_string_to_metric_families

from tests.monitoring.files import CONFIGURATION, MONITORING, RECORDED, Asked, loaded
from tests.monitoring.promql import Labels, Selector, grouped_by, selectors

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


def recorded(ours: Series) -> Series:
    """The series that rules record: with the labels that they give, that an aggregation keeps, and of other records."""
    found: dict[str, list[Labels]] = {}
    for rule in RECORDED:
        known = {**ours, **found}
        asked = selectors(rule.expr)
        sources = [labels for each in asked for labels in known.get(each.metric, ()) if each.finds(labels)]
        kept = {label for label, _ in grouped_by(rule.expr)} - {"le"}
        kept |= {name for each in asked for labels in found.get(each.metric, ()) for name in labels}
        found.setdefault(rule.name, []).extend(
            {**{name: value for name, value in labels.items() if name in kept}, **rule.labels}
            for labels in sources or [{}]
        )
    return found


def jobs() -> set[str]:
    """What Prometheus scrapes."""
    return {job["job_name"] for job in loaded(CONFIGURATION)["scrape_configs"]}


def missing(asked: Iterable[Asked], ours: Series) -> list[str]:
    """What the expressions ask for that nobody measures."""
    named: dict[str, set[str]] = {**OF_PROMETHEUS, **of_exporters()}
    known = {**ours, **recorded(ours)}
    return [complaint for each in asked for complaint in _missing(each, known, named)]


def _missing(asked: Asked, known: Series, named: Mapping[str, set[str]]) -> Iterable[str]:
    for selector in selectors(asked.expr):
        for job in _jobs(selector) - jobs():
            yield f"{asked.where}: nothing is scraped as the job {job}"
        if selector.metric in named:
            for label in {name for name, _, _ in selector.matchers} - named[selector.metric] - OF_TARGETS:
                yield f"{asked.where}: {selector.metric} has no label {label}"
        elif selector.metric not in known:
            yield f"{asked.where}: nothing is named {selector.metric}"
        elif not any(selector.finds(labels) for labels in known[selector.metric]):
            yield f"{asked.where}: no series of {selector.metric} is like {selector.matchers}"
    for label, metrics in grouped_by(asked.expr):
        labels = {name for metric in metrics for name in named.get(metric, ())}
        labels |= {name for metric in metrics for each in known.get(metric, ()) for name in each}
        if label not in labels | OF_TARGETS:
            yield f"{asked.where}: none of {sorted(metrics)} has a label {label}"


def _jobs(selector: Selector) -> set[str]:
    """The jobs that are asked for, each of those that a pattern names."""
    return {job for name, _, value in selector.matchers if name == "job" for job in value.split("|")}
