"""What a record hangs on: a file is its record's, and is reached as that is."""

from typing import Any
from uuid import UUID

from application.catalogue import ENTITIES, Entity
from application.neighbourhood import present
from application.ports import EventStore
from application.recording import stream_name


def rooted(store: EventStore, tenant: UUID, entity: Entity, state: Any) -> tuple[Entity, Any]:
    """The record that says who reaches this one: what it hangs on, or itself. Its state is None if it isn't there."""
    if entity.host is None:
        return entity, state
    kind, id = entity.host(state)
    return ENTITIES[kind], present(ENTITIES[kind], store.stream(tenant, stream_name(kind, id))).state
