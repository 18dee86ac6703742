"""API keys over HTTP: a user makes, lists and ends their own; with a key itself none of that can be done."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from api.operations import Call, Operation
from application.handling import Forbidden
from domain.kernel import Invalid, NotFound
from domain.security.events import ApiKeyEnded, ApiKeyMade
from domain.values import Name, check_texts
from infrastructure.api_keys import ApiKey
from projections.pages import Page

Scope = Annotated[str, Meta(max_length=100, examples=["contact:read"])]


class MakeApiKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key for a program. `scopes` are permissions that its owner has: without them it may do all that they may."""

    name: Name
    scopes: Annotated[tuple[Scope, ...], Meta(min_length=1, max_length=100)] | None = None
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None


class NewApiKey(Struct, frozen=True, kw_only=True):
    """A key that was made. `key` is told this once: only its hash is kept."""

    id: UUID
    key: str
    prefix: str


def make(call: Call[MakeApiKey, Any]) -> NewApiKey:
    """Makes a key. Raises Invalid."""
    check_texts(call.body)
    made, text = call.services.api_keys.make(call.principal, call.body.name, call.body.scopes, call.body.expires_at)
    event = ApiKeyMade(key=made.id, name=made.name, scopes=made.scopes, expires_at=made.expires_at)
    call.services.security.told_by(call.principal, event, call.client)
    return NewApiKey(id=made.id, key=text, prefix=made.prefix)


def keys(call: Call[None, Any]) -> Page[ApiKey]:
    """The user's keys."""
    return Page(items=list(call.services.api_keys.list(call.principal)))


def end(call: Call[None, Any]) -> None:
    """Ends a key. Raises NotFound."""
    call.services.api_keys.end(call.principal, call.received.record)
    call.services.security.told_by(call.principal, ApiKeyEnded(key=call.received.record), call.client)


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
        example={"name": "Nightly export", "scopes": ["contact:read"], "expires_at": "2099-01-01T00:00:00Z"},
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
