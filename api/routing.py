"""From a request to an operation, and back with its answer: authenticate, wait, decode, one call, encode."""

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from msgspec import structs

from api.admission import Admission
from api.decoding import decoded, parsed
from api.downloading import FileResponse
from api.headers import check_is_json, idempotency_key, if_match, min_position
from api.operations import Call, Operation, Received, Reply
from api.refusals import TooSlow
from api.services import Services
from api.uploading import Arrival, announced, in_thread
from application.handling import Forbidden
from application.ports import PendingFile
from application.recording import stream_name
from application.sights import Sights
from application.tenancy import TenantProfile
from domain.kernel import NotFound
from infrastructure.log_context import note
from infrastructure.sessions import Principal
from infrastructure.teams import team
from infrastructure.tokens import Claims, RevokedToken
from projections.search import SEARCHED

T = TypeVar("T")

_NO_RECORD = UUID(int=0)


def route(services: Services, operation: Operation, prefix: str) -> HTTPRouteHandler:
    """The route of an operation."""

    async def answer(request: Request[Any, Any, Any]) -> Response[bytes]:
        admission = Admission(services, operation, request)
        claims, position = await admission.by_sender()
        received = await _received(services, request, operation, admission.address)
        await admission.by_content(received)
        if operation.waits and claims is not None and await _is_stale(services, operation, claims, request, position):
            request.scope["state"]["stale"] = True
            services.telemetry.stale_reads.labels(request.scope["path_template"]).inc()
        if operation.opens is not None and claims is not None:
            with services.uploads.running(claims.tenant):
                reply = await _uploaded(services, operation, admission, claims, received, request)
                return _response(services, operation, reply)
        threads = services.password_threads if operation.hashes else services.threads
        work = _in_context(_answered, services, operation, admission, claims, received)
        if operation.long and claims is not None:
            running = services.long_operations.submit(threads, claims.tenant, work)
        else:
            running = threads.submit(work)
        return _response(services, operation, await asyncio.wrap_future(running))

    return HTTPRouteHandler(
        prefix + operation.path, http_method=operation.method, status_code=200, include_in_schema=False
    )(answer)


def _in_context(work: Callable[..., T], *arguments: Any) -> Callable[[], T]:
    """What is done in this request's context, so that what its threads log carries its ids."""
    return partial(copy_context().run, work, *arguments)


def _response(services: Services, operation: Operation, reply: Reply) -> Response[bytes]:
    if reply.file is not None:
        return FileResponse(services, reply.file, reply.headers)
    content = b"" if operation.answer is None else msgspec.json.encode(reply.body)
    return Response(
        content,
        status_code=operation.status,
        media_type="application/json" if content else None,
        headers=dict(reply.headers),
    )


async def _uploaded(
    services: Services,
    operation: Operation,
    admission: Admission,
    claims: Claims,
    received: Received,
    request: Request[Any, Any, Any],
) -> Reply:
    """Takes the file in, once it is known that its sender may send it, and answers. Raises a Refused."""
    received = structs.replace(received, announced=announced(request, services.settings.largest_file_bytes))
    opening = _in_context(_answered, services, operation, admission, claims, received, operation.opens)
    pending: PendingFile = await asyncio.wrap_future(services.threads.submit(opening))
    try:
        upload = await Arrival(services, request, pending).upload()
    except BaseException:
        await in_thread(services, pending.close)
        raise
    received = structs.replace(received, upload=upload)
    # From here on it goes on to its end, whether somebody waits for the answer or not.
    attaching = services.threads.submit(_in_context(_taken_in, services, operation, claims, received))
    return await asyncio.shield(asyncio.wrap_future(attaching))


def _taken_in(services: Services, operation: Operation, claims: Claims, received: Received) -> Reply:
    try:
        # Without the admission: the request was counted when it began.
        reply: Reply = _answered(services, operation, None, claims, received)
        return reply
    finally:
        if received.upload is not None:
            received.upload.pending.close()


async def _body(services: Services, request: Request[Any, Any, Any]) -> bytes:
    try:
        async with asyncio.timeout(services.settings.request_body_seconds):
            return await request.body()
    except TimeoutError:
        raise TooSlow("The body took too long to arrive: send it at once.") from None


async def _is_stale(
    services: Services, operation: Operation, claims: Claims, request: Request[Any, Any, Any], required: int
) -> bool:
    """Waits for the reader's own last write, and the position that the request demands; whether it was in vain."""
    wanted = max(min_position(request.headers), required)
    patience = services.settings.read_your_writes_seconds
    searched = operation.concerns(request) if operation.concerns else SEARCHED
    return not await services.freshness.wait(claims.tenant, operation.waits, wanted, patience, searched=searched)


async def _received(
    services: Services, request: Request[Any, Any, Any], operation: Operation, address: str | None
) -> Received:
    raw = b""
    if operation.body is not None and (raw := await _body(services, request)):
        check_is_json(request.headers)
    return Received(
        path=request.scope["path"],
        record=request.path_params.get("id", _NO_RECORD),
        query=tuple(request.query_params.multi_items()),
        raw=raw,
        host=request.headers.get("host", ""),
        request_id=request.scope["state"].get("request_id"),
        correlation=request.scope["state"]["correlation"],
        address=address,
        if_match=if_match(request.headers) if operation.commands and not operation.creates else None,
        idempotency_key=idempotency_key(request.headers) if operation.method == "POST" else None,
        agent=request.headers.get("user-agent"),
    )


def _answered(
    services: Services,
    operation: Operation,
    admission: Admission | None,
    claims: Claims | None,
    received: Received,
    run: Callable[[Call[Any, Any]], Any] | None = None,
) -> Any:
    """What the operation, or a part of it that is `run`, answers. Raises a Refused."""
    bearer, profile = _authenticated(services, claims, received)
    if bearer is not None and admission is not None:
        admission.by_key(bearer)
    try:
        call = _understood(services, operation, bearer, profile, received)
        if run is not None:
            return run(call)
        answer = operation.run(call)
        return answer if isinstance(answer, Reply) else Reply(body=answer)
    except Forbidden:
        if bearer is not None:
            services.security.forbidden(bearer, operation.name, received.client)
        raise


def _understood(
    services: Services,
    operation: Operation,
    bearer: Principal | None,
    profile: TenantProfile | None,
    received: Received,
) -> Call[Any, Any]:
    if bearer is not None and operation.permission is not None and operation.permission not in bearer.permissions:
        raise Forbidden(f"This needs the permission {operation.permission}.")
    if bearer is not None and operation.by_person and bearer.by_key:
        raise Forbidden("No API key can do this: log in.")
    query = received.query
    if bearer is not None and ("owner", "me") in query:
        query = [("owner", str(bearer.user)) if each == ("owner", "me") else each for each in query]
    return Call(
        services=services,
        operation=operation,
        received=received,
        bearer=bearer,
        sights=_sights(services, bearer, profile) if bearer and profile else None,
        time_zone=profile.time_zone if profile else "UTC",
        body=decoded(operation.body, received.raw) if operation.body else None,
        query=parsed(operation.query, query),
    )


def _sights(services: Services, bearer: Principal, profile: TenantProfile) -> Sights:
    """Whose records the bearer reaches; their team is read when it is asked for."""
    return Sights(
        user=bearer.user,
        role=bearer.role,
        permissions=bearer.permissions,
        viewers_see=profile.viewers_see,
        team=lambda: team(services.database, bearer.tenant, bearer.user),
    )


def _authenticated(
    services: Services, claims: Claims | None, received: Received
) -> tuple[Principal, TenantProfile] | tuple[None, None]:
    """Who asks, with the rights that they have now, and their tenant's profile. Raises RevokedToken."""
    if claims is None:
        return None, None
    bearer = _bearer(services, claims, received)
    note(tenant=bearer.tenant, actor=stream_name("user", bearer.user))
    try:
        profile = services.profiles.of(claims.tenant)
    except NotFound:
        raise RevokedToken("This token's tenant is not there.") from None
    if not profile.active:
        raise RevokedToken("This tenant is deactivated.")
    return bearer, profile


def _bearer(services: Services, claims: Claims, received: Received) -> Principal:
    """Who the token stands for. Raises InvalidToken, ExpiredToken or RevokedToken."""
    if claims.key_hash is None:
        return services.sessions.principal(claims)
    bearer, worth_telling = services.api_keys.principal(claims)
    if worth_telling:
        services.security.key_used(bearer, received.client)
    return bearer
