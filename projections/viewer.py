"""Who reads: every query takes a Viewer from the first one on."""

from uuid import UUID

from msgspec import Struct


class Viewer(Struct, frozen=True, kw_only=True):
    """A reader: of which tenant, who, and which owners' records they see (None: all of the tenant)."""

    tenant: UUID
    user: UUID | None = None
    owners: frozenset[UUID] | None = None
    time_zone: str = "UTC"
    """The tenant's, an IANA name: what a date without a time means."""
