"""One's own tenant over HTTP: what its admins may know and change. The rest is the platform's operator's.

A tenant is a record of the platform's own log. So the answers tell no position: it would count in another log.
"""

from typing import Any
from uuid import UUID

from msgspec import Struct

from api.headers import etag
from api.operations import Call, Operation, Reply
from application.handling import Sender, TooManyConflicts, VersionMismatch
from application.platform import PLATFORM
from domain.kernel import Invalid, NotFound
from domain.permissions import ViewersSee
from domain.tenants.commands import EditOwnTenant
from domain.tenants.state import Tenant, viewers_see


class OwnTenant(Struct, frozen=True, kw_only=True):
    """A tenant as its admins see it. `viewers_see` says whose records its viewers read."""

    id: UUID
    version: int
    name: str
    subdomain: str
    time_zone: str
    viewers_see: ViewersSee


def show(call: Call[Any, Any]) -> Reply:
    """The caller's tenant, as the log has it."""
    tenant = call.principal.tenant
    found = call.services.handler.present(PLATFORM, "tenant", tenant)
    state = found.state
    if not isinstance(state, Tenant):
        raise NotFound("There is no such tenant.")
    body = OwnTenant(
        id=tenant,
        version=found.version,
        name=state.name,
        subdomain=state.subdomain,
        time_zone=state.time_zone,
        viewers_see=viewers_see(state.settings),
    )
    return Reply(body=body, headers={"ETag": etag(found.version)})


def edit(call: Call[EditOwnTenant, Any]) -> Reply:
    """Changes the caller's tenant. Raises VersionMismatch or Invalid."""
    tenant, sent = call.principal.tenant, call.received
    # The sender's address stays out: it is sealed under keys that the platform's log doesn't have.
    sender = Sender(
        tenant=PLATFORM,
        actor=f"user-{call.principal.user}",
        permissions=call.principal.permissions & {EditOwnTenant.PERMISSION},
        correlation=sent.correlation,
        request=sent.request_id,
    )
    call.services.handler.handle(sender, "tenant", tenant, call.body, if_match=sent.if_match)
    call.services.profiles.forget(tenant)
    return show(call)


OPERATIONS: list[Operation] = [
    Operation(
        method="GET",
        path="/tenant",
        name="get-tenant",
        summary="One's own tenant, and what its admins have set.",
        tag="tenant",
        run=show,
        answer=OwnTenant,
        permission="tenant:read",
        refuses=(NotFound,),
    ),
    Operation(
        method="PATCH",
        path="/tenant",
        name="edit-tenant",
        summary="Change what the tenant is called, its time zone, or whose records its viewers read.",
        tag="tenant",
        run=edit,
        body=EditOwnTenant,
        answer=OwnTenant,
        permission=EditOwnTenant.PERMISSION,
        by_person=True,
        commands=True,
        refuses=(NotFound, VersionMismatch, Invalid, TooManyConflicts),
        example={"time_zone": "Europe/Paris"},
    ),
]
