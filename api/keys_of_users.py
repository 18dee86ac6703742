"""Everybody's API keys over HTTP, for admins: what a key of a program may do, when it was used, and its end."""

from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from api.operations import Call, Operation, Reply
from api.pages import next_page, page_request, with_page
from domain.kernel import NotFound
from infrastructure.api_keys import MOST_KEYS
from infrastructure.keys_of_users import KeyOfUser
from projections.pages import InvalidCursor, InvalidSort, Page


class WhoseKeys(Struct, frozen=True, kw_only=True):
    """Whose keys."""

    user: UUID | None = None


class EndApiKeys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which keys are to end; all of the user's where none are named."""

    keys: Annotated[tuple[UUID, ...], Meta(min_length=1, max_length=MOST_KEYS)] | None = None


class EndedKeys(Struct, frozen=True, kw_only=True):
    """The keys that were ended."""

    ended: list[UUID]


def keys(call: Call[None, Any]) -> Reply:
    """A page of the tenant's keys."""
    page = call.services.keys_of_users.page(call.principal.tenant, call.query.user, page_request(call))
    return next_page(call, page)


def end(call: Call[EndApiKeys, Any]) -> EndedKeys:
    """Ends keys of a user. Raises NotFound."""
    ended = call.services.keys_of_users.end(
        call.principal.tenant, call.received.record, call.body.keys, call.sender.actor, call.client
    )
    return EndedKeys(ended=list(ended))


OPERATIONS: list[Operation] = [
    Operation(
        method="GET",
        path="/api-keys",
        name="list-api-keys-of-users",
        summary="A page of the tenant's API keys, of all users or of one, the latest first.",
        tag="users",
        run=keys,
        answer=Page[KeyOfUser],
        query=with_page("KeysOfUsers", WhoseKeys),
        permission="user:manage",
        by_person=True,
        refuses=(InvalidCursor, InvalidSort),
    ),
    Operation(
        method="POST",
        path="/users/{id:uuid}/end-api-keys",
        name="end-api-keys-of-user",
        summary="End a user's API keys at once: those that are named, else all.",
        tag="users",
        run=end,
        body=EndApiKeys,
        answer=EndedKeys,
        permission="user:manage",
        by_person=True,
        refuses=(NotFound,),
        example={},
    ),
]
