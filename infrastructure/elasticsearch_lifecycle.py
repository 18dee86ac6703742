"""Index lifecycle management for the search indices, on servers that have it."""

from collections.abc import Mapping
from typing import Any

from elasticsearch import ApiError, Elasticsearch

# An index serves as long as its generation does: a lifecycle may tell which are recovered first, and delete none.
POLICY: Mapping[str, Any] = {
    "phases": {
        "hot": {"actions": {"set_priority": {"priority": 100}}},
        "warm": {"min_age": "30d", "actions": {"set_priority": {"priority": 50}}},
    }
}


class LifecycleUnsupported(Exception):
    """The server has no index lifecycle management; the message says so."""


def lifecycle_template(prefix: str) -> str:
    """The component template that the indices' own templates take in where it is there."""
    return f"{prefix}-lifecycle"


def set_up_lifecycle(client: Elasticsearch, prefix: str) -> None:
    """Puts the policy, has all further indices follow it, and those that are there. Raises LifecycleUnsupported."""
    name = f"{prefix}-search"
    settings = {"index.lifecycle.name": name}
    try:
        client.ilm.put_lifecycle(name=name, policy=POLICY)
    except ApiError as error:
        if error.status_code not in (400, 404, 405):
            raise
        raise LifecycleUnsupported(
            "This Elasticsearch has no index lifecycle management (the x-pack-ilm module): nothing was changed."
        ) from error
    client.cluster.put_component_template(name=lifecycle_template(prefix), template={"settings": settings})
    client.indices.put_settings(index=f"{prefix}-*s-g*", settings=settings, allow_no_indices=True)
