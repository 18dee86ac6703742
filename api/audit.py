"""The audit trail over HTTP."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from api.operations import Call, Operation, Reply
from api.pages import next_page, page_request, with_page
from api.refusals import Fault, InvalidRequest
from application.catalogue import ENTITIES, JOURNALS
from application.recording import stream_name
from projections.audit.sight import READ
from projections.audit.trail import AuditEntry, page
from projections.checkpoints import standing
from projections.pages import InvalidCursor, InvalidSort, Page
from projections.ports import AuditQuery

_NAME = Meta(max_length=100)


class AuditFilter(Struct, frozen=True, kw_only=True):
    """Which entries: `entity` a kind of record, with `id` one of them; `actor` a user's id, `me`, or what acted, such
    as `import`; `action` the type of an event; recorded from `since` on, and before `until`."""

    entity: Annotated[str, _NAME] | None = None
    id: UUID | None = None
    actor: Annotated[str, _NAME] | None = None
    action: Annotated[str, Meta(max_length=100, examples=["deal.won.v1"])] | None = None
    since: datetime | None = None
    until: datetime | None = None


def audit(call: Call[None, Any]) -> Reply:
    """A page of the trail, newest first."""
    services, viewer = call.services, call.viewer
    query, request = _query(call.query, str(call.principal.user)), page_request(call)
    live = _generation(call)
    while True:
        found = page(services.trail, services.keys, services.database, viewer, live, query, request)
        if (now := _generation(call)) == live:
            return next_page(call, found)
        live = now  # a rebuild has switched meanwhile, and what was read may be half deleted


def _generation(call: Call[None, Any]) -> int:
    live = standing(call.services.database, call.viewer.tenant, ("audit",)).live
    return live[0].generation if live else 1


def _query(asked: Any, me: str) -> AuditQuery:
    """The filter in the trail's own words. Raises InvalidRequest."""
    faults = []
    if asked.entity is not None and asked.entity not in {*ENTITIES, *JOURNALS}:
        faults.append(Fault("/entity", f"Give one of: {', '.join([*ENTITIES, *JOURNALS])}."))
    if asked.id is not None and asked.entity is None:
        faults.append(Fault("/entity", "Say of which kind the record is."))
    faults += [
        Fault(f"/{name}", "Give an instant with its offset, such as 2017-06-30T12:00:00Z.")
        for name in ("since", "until")
        if (value := getattr(asked, name)) is not None and value.tzinfo is None
    ]
    if faults:
        raise InvalidRequest(faults)
    one = asked.entity is not None and asked.id is not None
    return AuditQuery(
        entity=None if one else asked.entity,
        stream=stream_name(asked.entity, asked.id) if one else None,
        actor=None if asked.actor is None else _actor(asked.actor, me),
        type=asked.action,
        since=asked.since,
        until=asked.until,
    )


def _actor(named: str, me: str) -> str:
    """An actor as the log calls it."""
    named = me if named == "me" else named
    try:
        return f"user-{UUID(named)}"
    except ValueError:
        return named


OPERATIONS: list[Operation] = [
    Operation(
        method="GET",
        path="/audit",
        name="audit",
        summary="Who did what, when, from where, with the record before and after; newest first.",
        tag="audit",
        run=audit,
        answer=Page[AuditEntry],
        query=with_page("AuditFilter", AuditFilter),
        permission="audit:read",
        waits=("audit", *READ),
        refuses=(InvalidCursor, InvalidSort),
    )
]
