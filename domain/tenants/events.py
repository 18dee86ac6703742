"""What happens to a tenant: events of the platform's own log, in which tenants are streams."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import ClassVar

from msgspec import UNSET, UnsetType

from domain.kernel import Event

Setting = str | int | bool


class Plan(StrEnum):
    """What a tenant has subscribed to."""

    STARTER = "starter"
    PROFESSIONAL = "professional"
    ENTERPRISE = "enterprise"
    CUSTOM = "custom"


class TenantRegistered(Event, frozen=True, kw_only=True):
    """A tenant joined the platform. A `max_users` or `storage_gb` of None sets no limit."""

    TYPE: ClassVar[str] = "tenant.registered.v1"
    name: str
    subdomain: str
    plan: Plan
    max_users: int | None
    storage_gb: int | None
    trial_ends: date | None = None
    billing_email: str | None = None
    time_zone: str = "UTC"
    settings: Mapping[str, Setting] = {}


class TenantEdited(Event, frozen=True, kw_only=True):
    """Some fields of a tenant became others; only those are set, `settings` as a whole."""

    TYPE: ClassVar[str] = "tenant.edited.v1"
    name: str | UnsetType = UNSET
    subdomain: str | UnsetType = UNSET
    plan: Plan | UnsetType = UNSET
    max_users: int | UnsetType | None = UNSET
    storage_gb: int | UnsetType | None = UNSET
    trial_ends: date | UnsetType | None = UNSET
    billing_email: str | UnsetType | None = UNSET
    time_zone: str | UnsetType = UNSET
    settings: Mapping[str, Setting] | UnsetType = UNSET


class TenantDeactivated(Event, frozen=True, kw_only=True):
    """A tenant's users can't work any more."""

    TYPE: ClassVar[str] = "tenant.deactivated.v1"


class TenantActivated(Event, frozen=True, kw_only=True):
    """A deactivated tenant is back."""

    TYPE: ClassVar[str] = "tenant.activated.v1"


TenantEvent = TenantRegistered | TenantEdited | TenantDeactivated | TenantActivated
