"""The files of Loki and Grafana hold nothing but what those know, and lead to services of deploy/compose.yaml."""

import json
import re
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from tests.architecture.sources import ROOT
from tests.monitoring.files import CONFIGURATION, DASHBOARDS, MONITORING, loaded
from tests.monitoring.schemas import Dashboard, Datasources, Loki, Providers

LOKI = MONITORING / "loki" / "loki.yml"
DATASOURCES = MONITORING / "grafana" / "provisioning" / "datasources" / "clientforge.yml"
PROVIDERS = MONITORING / "grafana" / "provisioning" / "dashboards" / "clientforge.yml"
SCHEMAS = {LOKI: Loki, DATASOURCES: Datasources, PROVIDERS: Providers, **dict.fromkeys(DASHBOARDS, Dashboard)}


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: str(path.relative_to(MONITORING)))
def test_a_file_has_the_keys_that_are_known_and_no_others(path):
    content = _content(path)
    msgspec.convert(content, SCHEMAS[path])
    for mapping in _mappings(content):
        for name in list(mapping):
            mapping[f"{name}x"] = mapping.pop(name)
            with pytest.raises(msgspec.ValidationError):
                msgspec.convert(content, SCHEMAS[path])
            mapping[name] = mapping.pop(f"{name}x")


def test_every_datasource_is_a_service_at_the_port_at_which_it_answers():
    provisioned = msgspec.convert(loaded(DATASOURCES), Datasources).datasources
    for url in (urlsplit(each.url) for each in provisioned):
        assert url.port in _ports(url.hostname), url


def test_prometheus_scrapes_loki_where_it_listens():
    [job] = [job for job in loaded(CONFIGURATION)["scrape_configs"] if job["job_name"] == "loki"]
    assert job["static_configs"] == [{"targets": [f"loki:{port}" for port in _ports("loki")]}]


def test_the_dashboards_are_mounted_where_grafana_looks_for_them():
    mounted = dict(each.split(":")[:2] for each in _services()["grafana"]["volumes"])
    [provider] = msgspec.convert(loaded(PROVIDERS), Providers).providers
    assert mounted["./monitoring/grafana/dashboards"] == provider.options.path
    assert mounted["./monitoring/grafana/provisioning"] == "/etc/grafana/provisioning"


def _content(path) -> Any:
    return json.loads(path.read_text()) if path.suffix == ".json" else loaded(path)


def _mappings(content: Any) -> list[dict[str, Any]]:
    inner = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    return [*([content] if isinstance(content, dict) else []), *(found for each in inner for found in _mappings(each))]


def _services() -> Any:
    return loaded(ROOT / "deploy" / "compose.yaml")["services"]


def _ports(service: str | None) -> list[int]:
    """Where a service answers: as Loki's file says, and of the others, where their health is asked for."""
    health = _services()[service]["healthcheck"]
    if service == "loki":
        return [loaded(LOKI)["server"]["http_listen_port"]]
    return [int(port) for port in re.findall(r"(?::|--port )(\d+)", str(health["test"]))]
