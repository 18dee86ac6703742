"""API keys over HTTP: a user makes, lists and ends their own; with a key itself none of that can be done."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from api.operations import Call, Operation
from application.handling import Forbidden
from domain.kernel import Invalid, NotFound
from domain.security.events import ApiKeyEdited, ApiKeyEnded, ApiKeyMade
from domain.values import Name, check_texts
from infrastructure.api_keys import ApiKey
from infrastructure.key_limits import KeyRateLimits
from projections.pages import Page

Scope = Annotated[str, Meta(max_length=100, examples=["contact:read"])]


class MakeApiKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key for a program. `scopes` are permissions that its owner has: without them it may do all that they may.
    `rate_limits` let it ask less often than it could without them."""

    name: Name
    scopes: Annotated[tuple[Scope, ...], Meta(min_length=1, max_length=100)] | None = None
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None
    rate_limits: KeyRateLimits = KeyRateLimits()


class EditApiKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often a key may ask from now on. Kinds that are left out stay as they are, null lifts a limit."""

    rate_limits: KeyRateLimits


class NewApiKey(Struct, frozen=True, kw_only=True):
    """A key that was made. `key` is told this once: only its hash is kept."""

    id: UUID
    key: str
    prefix: str


def make(call: Call[MakeApiKey, Any]) -> NewApiKey:
    """Makes a key. Raises Invalid."""
    check_texts(call.body)
    body, services = call.body, call.services
    made, text = services.api_keys.make(call.principal, body.name, body.scopes, body.expires_at, body.rate_limits)
    services.security.limited(
        call.principal,
        ApiKeyMade,
        call.client,
        key=made.id,
        name=made.name,
        scopes=made.scopes,
        expires_at=made.expires_at,
        rate_limits=_told(made),
    )
    return NewApiKey(id=made.id, key=text, prefix=made.prefix)


def keys(call: Call[None, Any]) -> Page[ApiKey]:
    """The user's keys."""
    return Page(items=list(call.services.api_keys.list(call.principal)))


def edit(call: Call[EditApiKey, Any]) -> ApiKey:
    """Changes a key's own limits. Raises NotFound or Invalid."""
    services = call.services
    changed = services.api_keys.limit(call.principal, call.received.record, call.body.rate_limits)
    services.security.limited(call.principal, ApiKeyEdited, call.client, key=changed.id, rate_limits=_told(changed))
    return changed


def _told(key: ApiKey) -> dict[str, str]:
    told: dict[str, str] = msgspec.to_builtins(key.rate_limits)
    return told


def end(call: Call[None, Any]) -> None:
    """Ends a key. Raises NotFound."""
    call.services.api_keys.end(call.principal, call.received.record)
    call.services.security.limited(call.principal, ApiKeyEnded, call.client, key=call.received.record)


OPERATIONS: list[Operation] = [
    Operation(
        method="POST",
        path="/auth/api-keys",
        name="make-api-key",
        summary="Make an API key, which a program sends as its bearer token. It is told once.",
        tag="auth",
        limit="auth",
        run=make,
        body=MakeApiKey,
        answer=NewApiKey,
        status=201,
        by_person=True,
        refuses=(Invalid, Forbidden),
        example={
            "name": "Nightly export",
            "scopes": ["contact:read"],
            "expires_at": "2099-01-01T00:00:00Z",
            "rate_limits": {"general": "100 per hour"},
        },
    ),
    Operation(
        method="GET",
        path="/auth/api-keys",
        name="list-api-keys",
        summary="One's own API keys: how each begins, what it may do, and when it was last used.",
        tag="auth",
        run=keys,
        answer=Page[ApiKey],
        by_person=True,
        refuses=(Forbidden,),
    ),
    Operation(
        method="PATCH",
        path="/auth/api-keys/{id:uuid}",
        name="edit-api-key",
        summary="Change how often an API key may ask. It holds for its next request.",
        tag="auth",
        limit="auth",
        run=edit,
        body=EditApiKey,
        answer=ApiKey,
        by_person=True,
        refuses=(Invalid, Forbidden, NotFound),
        example={"rate_limits": {"general": "100 per hour", "search": None}},
    ),
    Operation(
        method="DELETE",
        path="/auth/api-keys/{id:uuid}",
        name="end-api-key",
        summary="End an API key at once.",
        tag="auth",
        run=end,
        answer=None,
        status=204,
        by_person=True,
        refuses=(Forbidden, NotFound),
    ),
]
