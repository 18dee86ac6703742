"""Commands over HTTP: the command is the body, its outcome is the answer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import structs
from uuid_utils.compat import uuid7

from api.headers import POSITION, etag
from api.operations import Call, Method, Operation, Reply
from application.handling import AlreadyTaken, IdempotencyKeyReused, Outcome, TooManyConflicts, VersionMismatch
from application.ports import Idempotency
from domain.kernel import Archived, Command, Invalid, NotFound, ReferenceArchived, Refused, UnknownReference


def creation(
    path: str, entity: str, command: type[Command], *, example: Any, refuses: Sequence[type[Refused]] = ()
) -> Operation:
    """`POST /{path}`: a new record."""

    def run(call: Call[Command, Any]) -> Reply:
        return carried_out(call, entity, call.body, creates=True)

    return Operation(
        method="POST",
        path=f"/{path}",
        name=f"create-{entity}",
        summary=first_line(command),
        tag=path,
        run=run,
        body=command,
        answer=Outcome,
        status=201,
        permission=command.PERMISSION,
        commands=True,
        creates=True,
        refuses=(*_refusals_of(command), IdempotencyKeyReused, *refuses),
        example=example,
    )


def change(
    method: Method,
    path: str,
    entity: str,
    command: type[Command],
    *,
    verb: str = "",
    name: str = "",
    example: Any = None,
    refuses: Sequence[type[Refused]] = (),
    handle: Callable[[Call[Any, Any]], Callable[..., Outcome]] = lambda call: call.services.handler.handle,
) -> Operation:
    """A command on one record, at its own address or at that of a verb; `handle` finds what handles it."""

    def run(call: Call[Command, Any]) -> Reply:
        return carried_out(call, entity, call.body, handle=handle(call))

    return Operation(
        method=method,
        path=f"/{path}/{{id:uuid}}{f'/{verb}' if verb else ''}",
        name=f"{name or verb}-{entity}",
        summary=first_line(command),
        tag=path,
        run=run,
        body=command,
        answer=Outcome,
        permission=command.PERMISSION,
        commands=True,
        refuses=(
            *(NotFound, VersionMismatch, Archived),
            *_refusals_of(command),
            *((IdempotencyKeyReused,) if method == "POST" else ()),
            *refuses,
        ),
        example=example,
    )


def carried_out(
    call: Call[Any, Any],
    entity: str,
    command: Command,
    *,
    creates: bool = False,
    new: UUID | None = None,
    handle: Callable[..., Outcome] | None = None,
) -> Reply:
    """Handles a command on the record that the address names, or on a new one: its outcome, and where that is.

    `new` is the id of a new record that has one already, `handle` what handles the command, if not the handler alone.
    """
    key = call.received.idempotency_key
    asked = f"{call.operation.method} {call.received.path} ".encode() + msgspec.json.encode(command)
    counts = call.services.telemetry.commands
    try:
        outcome = (handle or call.services.handler.handle)(
            call.sender,
            entity,
            (new or uuid7()) if creates else call.received.record,
            command,
            if_match=call.received.if_match,
            idempotency=Idempotency(key=key, request=asked) if key else None,
        )
    except Refused as refused:
        counts.labels(type(command).__name__, refused.code).inc()
        raise
    counts.labels(type(command).__name__, "ok").inc()
    return Reply(body=outcome, headers=_headers(outcome, call.received.path if creates else None))


def first_line(documented: type) -> str:
    """What a command does, in a sentence."""
    return (documented.__doc__ or documented.__name__).splitlines()[0]


def _headers(outcome: Outcome, created_below: str | None) -> Mapping[str, str]:
    headers = {"ETag": etag(outcome.version), POSITION: str(outcome.position)}
    if created_below is not None:
        headers["Location"] = f"{created_below.rstrip('/')}/{outcome.id}"
    return headers


def _refusals_of(command: type[Command]) -> Sequence[type[Refused]]:
    """What any command with fields may be refused for."""
    if not structs.fields(command):
        return (TooManyConflicts,)
    return (TooManyConflicts, AlreadyTaken, Invalid, UnknownReference, ReferenceArchived)
