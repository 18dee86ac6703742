"""Logging in, staying so, and out again."""

import ipaddress
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from api.decoding import decoded
from api.operations import Call, Operation, Received
from api.services import Services
from domain.identity.events import UserPersonal
from domain.kernel import NotFound, Refused
from domain.permissions import Role
from infrastructure.credentials import WrongCredentials, WrongPassword
from infrastructure.passwords import LONGEST, WeakPassword
from infrastructure.rate_limits import Partition
from infrastructure.second_factors import SecondFactorRequired
from infrastructure.sessions import OpenSession, Reused, Tokens
from infrastructure.tokens import ExpiredToken, InvalidToken, RevokedToken
from projections.pages import Page

Password = Annotated[str, Meta(max_length=LONGEST)]
Code = Annotated[str, Meta(max_length=100, examples=["287082"])]


class LogIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who logs in where: `tenant` is a subdomain or an id, else the host's first label, else the default tenant.
    `code` is of the second factor, for those who have one: what their device shows, or a recovery code."""

    email: Annotated[str, Meta(max_length=254)]
    password: Password
    tenant: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    code: Code | None = None


class Refresh(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A refresh token, to be used up."""

    refresh_token: Annotated[str, Meta(max_length=500)]


class ChangePassword(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The present password, and the one to be."""

    old_password: Password
    new_password: str


class TenantOfMine(Struct, frozen=True, kw_only=True):
    """The tenant that a user belongs to."""

    id: UUID
    name: str
    subdomain: str
    time_zone: str


class Myself(Struct, frozen=True, kw_only=True):
    """Who is logged in, and what they may do."""

    id: UUID
    first_name: str | None
    last_name: str | None
    email: str | None
    role: Role
    permissions: list[str]
    tenant: TenantOfMine


def log_in(call: Call[LogIn, Any]) -> Tokens:
    """Starts a session. Raises WrongCredentials or SecondFactorRequired."""
    services, body = call.services, call.body
    try:
        named = tenants_named(services, call.received, body.tenant)
        tokens = services.credentials.log_in(named, body.email, body.password, call.client, code=body.code)
    except Refused as refused:
        services.telemetry.log_ins.labels(refused.code).inc()
        raise
    services.telemetry.log_ins.labels("ok").inc()
    return tokens


def account(services: Services, received: Received) -> Sequence[Partition]:
    """Whom somebody tries to log in as, from whatever addresses; nobody, where that can't be understood.

    By the tenant's id: it has several names. Without the address in the clear: the counts are kept outside the log.
    """
    try:
        body = decoded(LogIn, received.raw)
    except Refused:
        return ()
    tenant = services.credentials.tenant(tenants_named(services, received, body.tenant))
    named = f"{tenant.id if tenant else ''}:{body.email.casefold()}"
    return (Partition(kind="account", id=sha256(named.encode("utf-8", "surrogatepass")).hexdigest()),)


def tenants_named(services: Services, received: Received, tenant: str | None) -> list[str]:
    """The tenant that is named, else the host's first label where it can be a subdomain, then the default tenant."""
    if tenant:
        return [tenant]
    host = received.host.rpartition(":")[0] or received.host
    label, _, domain = host.partition(".")
    named = [label] if domain and not _is_address(host) else []
    default = services.settings.default_tenant
    return [*named, default] if default else named


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def refresh(call: Call[Refresh, Any]) -> Tokens:
    """Renews a session. Raises InvalidToken, ExpiredToken or RevokedToken."""
    renewed = call.services.sessions.renew(call.body.refresh_token)
    if isinstance(renewed, Reused):
        call.services.security.reused(renewed, call.client)
        raise RevokedToken("This refresh token was used before, so its session has ended: log in again.")
    return renewed


def log_out(call: Call[None, Any]) -> None:
    """Ends the session."""
    _end(call, call.principal.session)


def sessions(call: Call[None, Any]) -> Page[OpenSession]:
    """The caller's own sessions."""
    return Page(items=list(call.services.sessions.list(call.principal)))


def end_session(call: Call[None, Any]) -> None:
    """Ends one of the caller's own sessions. Raises NotFound."""
    if not _end(call, call.received.record):
        raise NotFound("You have no such session.")


def _end(call: Call[None, Any], session: UUID) -> bool:
    ended = call.services.sessions.end(call.principal, session)
    if ended:
        call.services.security.session_ended(call.principal, session, call.client)
    return ended


def change_password(call: Call[ChangePassword, Any]) -> Tokens:
    """Sets the password that the user chose, and ends their other sessions. Raises WrongPassword or WeakPassword."""
    return call.services.credentials.change(call.principal, call.body.old_password, call.body.new_password, call.client)


def myself(call: Call[None, Any]) -> Myself:
    """Who is logged in, as the log has it: a new user may be asked about before any projection knows them."""
    principal = call.principal
    tenant = call.services.profiles.of(principal.tenant)
    state = call.services.handler.present(principal.tenant, "user", principal.user).state
    personal = state.personal if isinstance(state.personal, UserPersonal) else None
    return Myself(
        id=principal.user,
        first_name=personal.first_name if personal else None,
        last_name=personal.last_name if personal else None,
        email=personal.email if personal else None,
        role=principal.role,
        permissions=sorted(principal.permissions),
        tenant=TenantOfMine(id=tenant.id, name=tenant.name, subdomain=tenant.subdomain, time_zone=tenant.time_zone),
    )


OPERATIONS: list[Operation] = [
    Operation(
        method="POST",
        path="/auth/login",
        name="log-in",
        summary="Log in with an e-mail address and a password, and a code where one has a second factor.",
        tag="auth",
        limit="login",
        counted_as=account,
        run=log_in,
        body=LogIn,
        answer=Tokens,
        public=True,
        hashes=True,
        refuses=(WrongCredentials, SecondFactorRequired),
        example={"email": "ada@example.com", "password": "correct horse battery staple", "tenant": "acme"},
    ),
    Operation(
        method="POST",
        path="/auth/refresh",
        name="refresh",
        summary="Get new tokens for a refresh token, which is used up. Using it again after a moment ends the session.",
        tag="auth",
        limit="auth",
        run=refresh,
        body=Refresh,
        answer=Tokens,
        public=True,
        refuses=(InvalidToken, ExpiredToken, RevokedToken),
        example={"refresh_token": "AZAAAAAAcACAAAAAAAAAAQ…"},
    ),
    Operation(
        method="POST",
        path="/auth/logout",
        name="log-out",
        by_person=True,
        summary="End this session: its tokens are worth nothing from now on.",
        tag="auth",
        limit="auth",
        run=log_out,
        answer=None,
        status=204,
    ),
    Operation(
        method="GET",
        path="/auth/sessions",
        name="list-sessions",
        by_person=True,
        summary="Where one is logged in: one's own sessions, the latest used first.",
        tag="auth",
        run=sessions,
        answer=Page[OpenSession],
    ),
    Operation(
        method="DELETE",
        path="/auth/sessions/{id:uuid}",
        name="end-session",
        by_person=True,
        summary="End one of one's own sessions: its tokens are worth nothing from now on.",
        tag="auth",
        run=end_session,
        answer=None,
        status=204,
        refuses=(NotFound,),
    ),
    Operation(
        method="POST",
        path="/auth/change-password",
        name="change-password",
        by_person=True,
        summary="Choose another password. All sessions end; the answer starts a new one.",
        tag="auth",
        limit="auth",
        run=change_password,
        body=ChangePassword,
        answer=Tokens,
        hashes=True,
        refuses=(WrongPassword, WeakPassword),
        example={"old_password": "correct horse battery staple", "new_password": "purple monkey dishwasher"},
    ),
    Operation(
        method="GET",
        path="/auth/me",
        name="myself",
        summary="Who is logged in, with their permissions and their tenant.",
        tag="auth",
        run=myself,
        answer=Myself,
    ),
]
