"""What can be asked of a tenant by the platform's operator, and by its own admins, and what it decides.

That a tenant has no more active users than its `max_users` is decided where users are: `domain/identity/staff.py`.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, ClassVar, assert_never
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType, field

from domain.kernel import AlreadyExists, Claim, Command, Invalid, NotFound, Reference, changes, given
from domain.neighbours import Neighbours
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
from domain.tenants.state import VIEWERS_SEE, Tenant
from domain.values import Email, Name, TimeZone, check_email, check_texts, check_time_zone

Subdomain = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$(?!\n)",
        description="A DNS label in lower case",
        examples=["acme"],
    ),
]
_RESERVED = frozenset({"platform"})
"""The platform's own log goes by this name."""
STORAGE_GB: Mapping[Plan, int | None] = {
    Plan.STARTER: 10,
    Plan.PROFESSIONAL: 50,
    Plan.ENTERPRISE: None,
    Plan.CUSTOM: 10,
}
"""What a tenant of each plan may store, in 10^9 bytes; None: any number."""
Limit = Annotated[int, Meta(ge=1, le=10_000_000)]
SettingName = Annotated[str, Meta(max_length=100, pattern=r"^[a-z][a-z0-9_.]*$(?!\n)")]
Settings = Annotated[Mapping[SettingName, Setting], Meta(max_length=200)]
SettingEdits = Annotated[
    Mapping[SettingName, Setting | None], Meta(max_length=200, description="Those that change; `null` takes one away")
]


class RegisterTenant(Command, frozen=True, kw_only=True):
    """Make a tenant. `null` as a limit means none; its storage is that of its plan unless told otherwise."""

    PERMISSION: ClassVar[str] = "tenant:create"
    CREATES: ClassVar[bool] = True
    name: Name
    subdomain: Subdomain
    plan: Plan = Plan.STARTER
    max_users: Limit | None = 5
    storage_gb: Limit | UnsetType | None = UNSET
    trial_ends: date | None = None
    billing_email: Email | None = None
    time_zone: TimeZone = "UTC"
    settings: Settings = field(default_factory=dict)


class EditTenant(Command, frozen=True, kw_only=True):
    """Change fields of a tenant, and single settings."""

    PERMISSION: ClassVar[str] = "tenant:manage"
    name: Name | UnsetType = UNSET
    subdomain: Subdomain | UnsetType = UNSET
    plan: Plan | UnsetType = UNSET
    max_users: Limit | UnsetType | None = UNSET
    storage_gb: Limit | UnsetType | None = UNSET
    trial_ends: date | UnsetType | None = UNSET
    billing_email: Email | UnsetType | None = UNSET
    time_zone: TimeZone | UnsetType = UNSET
    settings: SettingEdits | UnsetType = UNSET


class EditOwnTenant(Command, frozen=True, kw_only=True):
    """Change what a tenant's own admins may: what it is called, its time zone, and whose records viewers read."""

    PERMISSION: ClassVar[str] = "tenant:update"
    name: Name | UnsetType = UNSET
    time_zone: TimeZone | UnsetType = UNSET
    viewers_see: ViewersSee | UnsetType = UNSET


class DeactivateTenant(Command, frozen=True, kw_only=True):
    """Lock a tenant's users out."""

    PERMISSION: ClassVar[str] = "tenant:manage"


class ActivateTenant(Command, frozen=True, kw_only=True):
    """Let a tenant's users in again."""

    PERMISSION: ClassVar[str] = "tenant:manage"


TenantCommand = RegisterTenant | EditTenant | EditOwnTenant | DeactivateTenant | ActivateTenant


def references(_command: TenantCommand, _state: Tenant | None) -> Sequence[Reference]:
    """A tenant refers to nothing else."""
    return ()


def claims(state: Tenant) -> frozenset[Claim]:
    """The value that no other tenant of the platform may hold."""
    return frozenset({Claim("tenant.subdomain", state.subdomain)})


def decide(command: TenantCommand, state: Tenant | None, _neighbours: Neighbours) -> list[TenantEvent]:
    """What a command makes of a tenant, deactivated or not. Raises Invalid, AlreadyExists or NotFound."""
    check_texts(command)
    if isinstance(command, RegisterTenant):
        if state is not None:
            raise AlreadyExists("This tenant is there already.")
        storage = {"storage_gb": STORAGE_GB[command.plan], **_settled(command, {})}
        return [TenantRegistered(**storage)]
    if state is None:
        raise NotFound("There is no such tenant.")
    match command:
        case EditTenant() | EditOwnTenant():
            edit = command if isinstance(command, EditTenant) else _by_operator(command)
            changed = changes(_settled(edit, state.settings), state)
            return [TenantEdited(**changed)] if changed else []
        case DeactivateTenant():
            return [TenantDeactivated()] if state.active else []
        case ActivateTenant():
            return [] if state.active else [TenantActivated()]
        case _ as never:
            assert_never(never)


def _by_operator(command: EditOwnTenant) -> EditTenant:
    """The same edit as the platform's operator would make it."""
    settings = UNSET if command.viewers_see is UNSET else {VIEWERS_SEE: str(command.viewers_see)}
    return EditTenant(name=command.name, time_zone=command.time_zone, settings=settings)


def _settled(command: RegisterTenant | EditTenant, settings: Mapping[str, Setting]) -> dict[str, Any]:
    """The fields that a command sets, checked; `settings` that it doesn't name stay."""
    fields = given(command)
    if isinstance(command.subdomain, str):
        _check_subdomain(command.subdomain)
    if isinstance(command.billing_email, str):
        check_email(command.billing_email, "/billing_email")
    if isinstance(command.time_zone, str):
        check_time_zone(command.time_zone, "/time_zone")
    if "settings" in fields:
        merged = {**settings, **fields["settings"]}
        fields["settings"] = {name: value for name, value in merged.items() if value is not None}
    return fields


def _check_subdomain(name: str) -> None:
    """Refuses what already means something else where a tenant is named: the platform itself, and any tenant's id."""
    try:
        UUID(name)
    except ValueError:
        if name not in _RESERVED:
            return
    raise Invalid("This name stands for something else: choose another one.", field="/subdomain")
