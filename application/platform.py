"""The platform's own log, whose streams are the tenants: what it says of one of them."""

from functools import reduce
from uuid import UUID

from application.catalogue import ENTITIES
from application.ports import EventStore
from application.recording import stream_name
from domain.tenants.state import Tenant

PLATFORM = UUID("00000000-0000-7000-8000-000000000000")
"""The tenant whose log holds all tenants."""


def tenant_state(store: EventStore, tenant: UUID) -> Tenant | None:
    """A tenant as it is now, None where none is registered under that id."""
    events = store.stream(PLATFORM, stream_name("tenant", tenant))
    state: Tenant | None = reduce(ENTITIES["tenant"].evolve, (each.event for each in events), None)
    return state


def user_limit(store: EventStore, tenant: UUID) -> int | None:
    """How many active users a tenant may have; None: any number, as for the platform itself."""
    state = tenant_state(store, tenant)
    return state.max_users if state else None
