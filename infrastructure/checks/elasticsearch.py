"""Elasticsearch: its health, the templates that indices are made by, and the alias of each tenant."""

from collections.abc import Iterator, Mapping
from typing import Any

from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch
from elasticsearch.exceptions import UnsupportedProductError

from infrastructure.checks.addresses import address
from infrastructure.checks.postgres import published
from infrastructure.elasticsearch import alias_name, index_name, template_name
from infrastructure.findings import Finding, failure, ok, warning
from infrastructure.settings import Settings
from projections.search import SEARCHED

_HEALTH, _TEMPLATES, _ALIASES = "Elasticsearch health", "Elasticsearch templates", "Elasticsearch aliases"
_SHOWN = 3


def elasticsearch(settings: Settings) -> list[Finding]:
    """Health, templates and aliases; none of it is needed where search is kept in PostgreSQL."""
    if settings.elasticsearch_url is None:
        return [ok("Elasticsearch", "not used: search is kept in PostgreSQL (no ELASTICSEARCH_URL)")]
    url = settings.elasticsearch_url.get_secret_value()
    try:
        client = Elasticsearch(url.split(","), request_timeout=5, max_retries=0, retry_on_timeout=False)
        with client:
            return [_health(client, url), *_indices(client, settings)]
    except (TransportError, ApiError, UnsupportedProductError, ValueError) as error:
        told = f"{address(url)} doesn't answer as it should ({type(error).__name__})"
        return [
            failure(_HEALTH, told, "see whether it runs, in version 9 or newer, and whether its credentials are right")
        ]


def _health(client: Elasticsearch, url: str) -> Finding:
    told = client.cluster.health(master_timeout="2s", timeout="2s")
    nodes = client.nodes.info(filter_path="nodes.*.version").get("nodes", {}).values()
    versions = " and ".join(sorted({each["version"] for each in nodes})) or "unknown"
    found = f"{address(url)} is {told['status']}: {told['number_of_nodes']} nodes, version {versions}"
    match told["status"]:
        case "green":
            return ok(_HEALTH, found)
        case "yellow":
            return warning(_HEALTH, found, "some copies are on no node: see GET _cluster/allocation/explain")
        case _:
            return failure(_HEALTH, found, "searches are incomplete: see GET _cluster/allocation/explain")


def _indices(client: Elasticsearch, settings: Settings) -> list[Finding]:
    """What a tenant's searches go through, once there are any."""
    tenants = published(settings, "search")
    prefix = settings.elasticsearch_prefix
    templates = {each["name"] for each in client.indices.get_index_template()["index_templates"]}
    lacking = [name for each in SEARCHED if (name := template_name(prefix, each)) not in templates]
    if tenants is None:
        return [
            warning(
                _ALIASES, "which there must be can't be seen without the monitor's role", "set DATABASE_MONITOR_URL"
            )
        ]
    if not tenants:
        return [ok(_TEMPLATES, "none are needed yet: no tenant has been searched for")]
    found: Mapping[str, Any] = client.indices.get_alias(index=f"{prefix}-*s-g*").body
    flaws = list(_flaws(found, prefix, tenants))
    return [
        failure(_TEMPLATES, f"missing: {', '.join(lacking)}", "clientforge projections rebuild search")
        if lacking
        else ok(_TEMPLATES, f"{len(SEARCHED)} are there"),
        failure(_ALIASES, f"{len(flaws)} flaws: {'; '.join(flaws[:_SHOWN])}", "clientforge es create-tenant-aliases")
        if flaws
        else ok(_ALIASES, f"the {len(SEARCHED)} aliases of {len(tenants)} tenants filter and route"),
    ]


def _flaws(found: Mapping[str, Any], prefix: str, tenants: Mapping[Any, int]) -> Iterator[str]:
    for tenant, generation in tenants.items():
        for entity in SEARCHED:
            alias = alias_name(prefix, entity, tenant)
            told = found.get(index_name(prefix, entity, generation), {}).get("aliases", {}).get(alias)
            if told is None:
                yield f"{alias} is missing"
            elif _filtered_by(told) != str(tenant) or told.get("search_routing") != str(tenant):
                yield f"{alias} isn't its tenant's alone"


def _filtered_by(alias: Mapping[str, Any]) -> Any:
    """The tenant that an alias filters by, in either way in which Elasticsearch tells a condition; else None."""
    match alias.get("filter"):
        case {"term": {"tenant_id": {"value": tenant}, **others}, **more} if not others and not more:
            return tenant
        case {"term": {"tenant_id": tenant, **others}, **more} if not others and not more:
            return tenant
    return None
