"""The compose files as they hold together: merged, with every variable looked up."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.architecture.sources import ROOT

DEPLOY = ROOT / "deploy"
BASE, PRODUCTION = DEPLOY / "compose.yaml", DEPLOY / "compose.production.yaml"
OURS = ("migrate", "api", "worker", "sweeper", "backup", "recovery")
"""The services that run ClientForge itself."""
USUAL_PORTS = {
    "postgres": 5432,
    "elasticsearch": 9200,
    "mongodb": 27017,
    "prometheus": 9090,
    "alertmanager": 9093,
    "grafana": 3000,
    "node-exporter": 9100,
    "postgres-exporter": 9187,
    "redis-exporter": 9121,
    "elasticsearch-exporter": 9114,
    "mongodb-exporter": 9216,
}
"""Where those listen that are told no port."""

_VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::([-?])([^}]*))?\}")
_LISTS_THAT_ADD = ("ports", "expose", "dns", "tmpfs", "volumes", "secrets")


def text_of(path: Path) -> str:
    """A compose file without its comments, in which nothing is looked up."""
    return "\n".join(re.sub(r"(^|\s)#.*", "", line) for line in path.read_text().splitlines())


def variables(path: Path) -> Iterator[tuple[str, str, str]]:
    """Each `${NAME}`: its name, `-` (has a default), `?` (must be set) or nothing, and what follows."""
    yield from _VARIABLE.findall(text_of(path))


def loaded(path: Path, given: Mapping[str, str]) -> dict[str, Any]:
    """A compose file with its variables replaced by what is given, or by their defaults."""

    def value(match: re.Match[str]) -> str:
        return given.get(match[1]) or (match[3] if match[2] == "-" else "")

    found: dict[str, Any] = yaml.safe_load(_VARIABLE.sub(value, path.read_text()))
    return found


def merged(below: Any, above: Any, key: str = "") -> Any:
    """What compose makes of two files: mappings are merged, some lists joined, everything else is replaced."""
    if isinstance(below, dict) and isinstance(above, dict):
        keys = [*below, *(each for each in above if each not in below)]
        return {
            each: merged(below[each], above[each], each)
            if each in below and each in above
            else {**below, **above}[each]
            for each in keys
        }
    if isinstance(below, list) and isinstance(above, list) and key in _LISTS_THAT_ADD:
        return [*below, *above]
    return above


def production(given: Mapping[str, str]) -> dict[str, Any]:
    """Both files together, as `-f compose.yaml -f compose.production.yaml` takes them."""
    both: dict[str, Any] = merged(loaded(BASE, given), loaded(PRODUCTION, given))
    return both


def secret_name(entry: str | Mapping[str, str]) -> tuple[str, str]:
    """A service's secret: what it is called above, and its file's name below /run/secrets."""
    if isinstance(entry, str):
        return entry, entry
    return entry["source"], entry["target"]


def scraped() -> dict[str, int]:
    """The services that Prometheus scrapes, and at which ports."""
    configuration = yaml.safe_load((DEPLOY / "monitoring/prometheus/prometheus.yml").read_text())
    found: dict[str, int] = {}
    for job in configuration["scrape_configs"]:
        for told in job.get("dns_sd_configs", []):
            found.update(dict.fromkeys(told["names"], told["port"]))
        for told in job.get("static_configs", []):
            found.update((each.split(":")[0], int(each.split(":")[1])) for each in told["targets"])
    return found


def listening(services: Mapping[str, Any]) -> dict[str, set[int]]:
    """The ports at which each service answers: those of its configuration, else its program's own."""
    loki = yaml.safe_load((DEPLOY / "monitoring/loki/loki.yml").read_text())
    told = {name: (services[name].get("environment") or {}) for name in ("api", "worker", "sweeper")}
    return {
        **{name: {port} for name, port in USUAL_PORTS.items()},
        "api": {int(told["api"]["PORT"])},
        "worker": {int(told["worker"]["METRICS_PORT"])},
        "sweeper": {int(told["sweeper"]["METRICS_PORT"])},
        "pgbouncer": {number(r"listen_port = (\d+)", (DEPLOY / "pgbouncer/pgbouncer.ini").read_text())},
        "redis": {number(r"\nport (\d+)", (DEPLOY / "redis/redis.conf").read_text())},
        "proxy": {int(port) for port in re.findall(r"bind :(\d+)", (DEPLOY / "proxy/haproxy.cfg").read_text())},
        "loki": {loki["server"]["http_listen_port"]},
        "alloy": {number(r"listen-addr=127\.0\.0\.1:(\d+)", " ".join(services["alloy"]["command"]))},
    }


def given_by_files(service: Mapping[str, Any], secrets: Path) -> dict[str, str]:
    """The variables that a service has out of its env_files."""
    texts = [(secrets / Path(each).name).read_text() for each in service.get("env_file", [])]
    return dict(line.split("=", 1) for text in texts for line in text.splitlines())


def sources(service: Mapping[str, Any]) -> list[Path]:
    """The files and directories of deploy/ that a service mounts."""
    bound = [each.split(":")[0] for each in service.get("volumes", [])]
    return [(DEPLOY / each).resolve() for each in bound if each.startswith("./")]


def mounted_files(service: Mapping[str, Any]) -> list[Path]:
    """The files of deploy/ that a service sees."""
    found = [[source] if source.is_file() else sorted(source.rglob("*")) for source in sources(service)]
    return [path for paths in found for path in paths if path.is_file()]


def number(pattern: str, text: str) -> int:
    """The one number that a pattern finds."""
    [found] = re.findall(pattern, text)
    return int(found)
