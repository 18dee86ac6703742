"""A tenant as its events leave it."""

from collections.abc import Mapping
from datetime import date
from typing import assert_never

from msgspec import Struct, structs

from domain.kernel import given
from domain.permissions import ViewersSee
from domain.tenants.events import (
    Plan,
    Setting,
    TenantActivated,
    TenantDeactivated,
    TenantEdited,
    TenantEvent,
    TenantRegistered,
)

VIEWERS_SEE = "viewers_see"
"""The setting that says whose records viewers read."""


class Tenant(Struct, frozen=True, kw_only=True):
    """A customer of the platform, with users, records and a log of its own."""

    name: str
    subdomain: str
    plan: Plan
    max_users: int | None
    storage_gb: int | None
    trial_ends: date | None = None
    billing_email: str | None = None
    time_zone: str = "UTC"
    settings: Mapping[str, Setting] = {}
    active: bool = True

    @property
    def archived(self) -> bool:
        """Whether the tenant was deactivated."""
        return not self.active


def evolve(state: Tenant | None, event: TenantEvent) -> Tenant | None:
    """The one fold of a tenant. An event of a tenant that never was registered changes nothing."""
    if isinstance(event, TenantRegistered):
        return Tenant(**given(event))
    if state is None:
        return None
    match event:
        case TenantEdited():
            return structs.replace(state, **given(event))
        case TenantDeactivated():
            return structs.replace(state, active=False)
        case TenantActivated():
            return structs.replace(state, active=True)
        case _ as never:
            assert_never(never)


def viewers_see(settings: Mapping[str, Setting]) -> ViewersSee:
    """Whose records viewers read: all unless it is set otherwise; a value that nobody knows shows them less."""
    return ViewersSee.ALL if settings.get(VIEWERS_SEE, "all") == "all" else ViewersSee.OWN
