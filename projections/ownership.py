"""Which records a viewer sees where several kinds stand together: by each record's present owner.

What hangs on another record, as a file does, is seen by whoever sees that one.
"""

from collections.abc import Mapping
from typing import Any

from domain.permissions import OWNED
from projections.viewer import Viewer, visible

DIRECTORIES: Mapping[str, str] = {
    "account": "accounts",
    "contact": "contacts",
    "deal": "deals",
    "product": "products",
    "pipeline": "pipelines",
    "user": "users",
}
"""The tables of the kinds that can have an owner, or something that hangs on them."""


def shown(entity: str, id: str) -> str:
    """The SQL condition that the viewer sees a record, of which these are the columns or parameters."""
    return f"""{stands_by_itself(entity, id)}
        AND ({entity} <> 'file' OR (%(kinds)s::text[] IS NULL AND %(owners)s::uuid[] IS NULL) OR EXISTS (
            SELECT FROM files f WHERE f.tenant_id = %(tenant)s AND f.id = {id}
            AND {stands_by_itself("f.entity", "f.record")} AND f.generation = {live("files")}))"""


def stands_by_itself(entity: str, id: str) -> str:
    """The same of a record that hangs on no other."""
    kinds = ", ".join(f"'{each}'" for each in OWNED)
    owned = " OR ".join(_is(entity, id, each, visible("r.owner")) for each in OWNED)
    return (
        f"(%(kinds)s::text[] IS NULL OR {entity} = ANY(%(kinds)s))"
        f" AND (%(owners)s::uuid[] IS NULL OR {entity} NOT IN ({kinds}) OR {owned})"
    )


def is_archived(entity: str, id: str) -> str:
    """The SQL condition that a record of any kind that something can hang on is archived."""
    return f"({' OR '.join(_is(entity, id, each, 'r.archived') for each in DIRECTORIES)})"


def live(projection: str) -> str:
    """The generation of a projection that serves."""
    return (
        "(SELECT generation FROM projection_checkpoints"  # noqa: S608
        f" WHERE tenant_id = %(tenant)s AND projection = '{projection}' AND live)"
    )


def shown_to(viewer: Viewer) -> Mapping[str, Any]:
    """The parameters of `shown`."""
    return {**viewer.seen, "kinds": None if viewer.kinds is None else sorted(viewer.kinds)}


def _is(entity: str, id: str, kind: str, condition: str) -> str:
    table = DIRECTORIES[kind]
    return f"""({entity} = '{kind}' AND EXISTS (
        SELECT FROM {table} r WHERE r.tenant_id = %(tenant)s AND r.id = {id} AND {condition}
        AND r.generation = {live(table)}))"""
