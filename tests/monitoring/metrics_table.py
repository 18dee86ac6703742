"""The table of metrics in docs/monitoring.md, and what it has to say."""

import re
from collections.abc import Iterable

from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from infrastructure.telemetry import Telemetry
from tests.architecture.sources import ROOT

DOCUMENT = ROOT / "docs" / "monitoring.md"
_ROW = re.compile(r"^\| `(clientforge_\w+)` \| (\w+) \| (.*?) \| (.+?) \|$", re.MULTILINE)

Described = dict[str, tuple[str, str, str]]
"""The kind of each metric, its labels, and its meaning."""


def documented() -> Described:
    """What the table says."""
    return {name: (kind, labels, meaning) for name, kind, labels, meaning in _ROW.findall(DOCUMENT.read_text())}


def described(scraped: Iterable[str]) -> Described:
    """What is so: as it is declared, and for what is read when somebody asks, as it was scraped."""
    found = {}
    for text in scraped:
        for family in text_string_to_metric_families(text):
            labels = sorted({name for sample in family.samples for name in sample.labels} - {"le"})
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found[name] = (str(family.type), _listed(labels), family.documentation)
    return dict(sorted((found | _declared()).items()))


def table(described: Described) -> str:
    """The rows."""
    return "\n".join(f"| `{name}` | {' | '.join(rest)} |" for name, rest in described.items())


def _declared() -> Described:
    metrics = [each for each in vars(Telemetry()).values() if isinstance(each, MetricWrapperBase)]
    return {_name(each): (str(each._type), _listed(each._labelnames), each._documentation) for each in metrics}


def _name(metric: MetricWrapperBase) -> str:
    return f"{metric._name}_total" if metric._type == "counter" else str(metric._name)


def _listed(labels: Iterable[str]) -> str:
    return ", ".join(f"`{each}`" for each in labels)
