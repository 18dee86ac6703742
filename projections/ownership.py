"""Which records a viewer sees where several kinds stand together: by each record's present owner."""

from collections.abc import Mapping
from typing import Any

from domain.permissions import OWNED
from projections.viewer import Viewer, visible

_DIRECTORIES: Mapping[str, str] = {"account": "accounts", "contact": "contacts", "deal": "deals"}


def shown(entity: str, id: str) -> str:
    """The SQL condition that the viewer sees a record, of which these are the columns or parameters."""
    kinds = ", ".join(f"'{each}'" for each in OWNED)
    owned = " OR ".join(_owned(entity, id, each) for each in OWNED)
    return (
        f"(%(kinds)s::text[] IS NULL OR {entity} = ANY(%(kinds)s))"
        f" AND (%(owners)s::uuid[] IS NULL OR {entity} NOT IN ({kinds}) OR {owned})"
    )


def shown_to(viewer: Viewer) -> Mapping[str, Any]:
    """The parameters of `shown`."""
    return {**viewer.seen, "kinds": None if viewer.kinds is None else sorted(viewer.kinds)}


def _owned(entity: str, id: str, kind: str) -> str:
    table = _DIRECTORIES[kind]
    return f"""({entity} = '{kind}' AND EXISTS (
        SELECT FROM {table} r WHERE r.tenant_id = %(tenant)s AND r.id = {id} AND {visible("r.owner")}
        AND r.generation = (SELECT generation FROM projection_checkpoints
            WHERE tenant_id = %(tenant)s AND projection = '{table}' AND live)))"""  # noqa: S608
