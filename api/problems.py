"""Every error as problem+json (RFC 9457), and the one table of statuses."""

import logging
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from msgspec import Struct

import domain.contacts.commands as contacts
import domain.deals.commands as deals
import domain.files.commands as files
import domain.pipelines.commands as pipelines
from api import refusals
from application import handling, ports
from application.neighbourhood import TooDeep
from application.signing_up import SignUpOff
from domain import kernel
from domain.identity import staff
from domain.kernel import Refused
from infrastructure.credentials import WrongCredentials, WrongPassword
from infrastructure.mailed_tokens import LinkNotValid
from infrastructure.passwords import WeakPassword
from infrastructure.recovery import InvitationNotNeeded, MailNotSetUp, TooManyMails
from infrastructure.second_factors import SecondFactorOff, SecondFactorOn, SecondFactorRequired, WrongCode
from infrastructure.tokens import ExpiredToken, InvalidToken, RevokedToken
from projections.deals.pipeline import InTheFuture
from projections.failures import told
from projections.pages import InvalidCursor, InvalidSort
from projections.ports import NotPublished, StoreAway, TookTooLong

PROBLEM_JSON = "application/problem+json"

STATUS: Mapping[type[Refused], int] = {
    refusals.MalformedJson: 400,
    refusals.MalformedHeader: 400,
    refusals.MalformedUpload: 400,
    refusals.NotAuthenticated: 401,
    InvalidToken: 401,
    ExpiredToken: 401,
    RevokedToken: 401,
    WrongCredentials: 401,
    SecondFactorRequired: 401,
    handling.Forbidden: 403,
    refusals.CsrfTokenMissing: 403,
    SignUpOff: 403,
    MailNotSetUp: 403,
    kernel.NotFound: 404,
    refusals.NoSuchRoute: 404,
    refusals.MethodNotAllowed: 405,
    refusals.TooSlow: 408,
    handling.TooManyConflicts: 409,
    handling.AlreadyTaken: 409,
    kernel.AlreadyExists: 409,
    kernel.Archived: 409,
    kernel.PersonalDataErased: 409,
    kernel.PersonalDataSealed: 409,
    deals.DealNotOpen: 409,
    deals.DealNotClosed: 409,
    pipelines.DefaultPipelineNeeded: 409,
    staff.LastAdmin: 409,
    staff.TooManyUsers: 409,
    InvitationNotNeeded: 409,
    SecondFactorOn: 409,
    SecondFactorOff: 409,
    ports.StorageFull: 409,
    files.FileGone: 410,
    handling.VersionMismatch: 412,
    refusals.TooLarge: 413,
    refusals.FileTooLarge: 413,
    refusals.UnsupportedMediaType: 415,
    refusals.FileTypeNotAllowed: 415,
    refusals.InvalidRequest: 422,
    handling.IdempotencyKeyReused: 422,
    kernel.Invalid: 422,
    kernel.UnknownReference: 422,
    kernel.ReferenceArchived: 422,
    kernel.HierarchyCycle: 422,
    TooDeep: 422,
    contacts.EmailOrPhoneRequired: 422,
    deals.LostReasonRequired: 422,
    deals.DealValueRequired: 422,
    deals.NoSuchStage: 422,
    deals.NoDefaultPipeline: 422,
    InTheFuture: 422,
    InvalidCursor: 422,
    InvalidSort: 422,
    WeakPassword: 422,
    LinkNotValid: 422,
    WrongPassword: 422,
    WrongCode: 422,
    refusals.TooManyRequests: 429,
    TooManyMails: 429,
    refusals.TooManyAtOnce: 429,
}

FAULTS: Mapping[str, tuple[int, str]] = {
    "internal_error": (500, "A fault of the server."),
    "unavailable": (503, "A store that the request needs can't be reached, or is not ready yet."),
    "took_too_long": (504, "A query ran longer than a query may, and was cut off."),
}
"""What is nobody's refusal: the status and title of each code."""

_OF_HTTP: Mapping[int, tuple[type[Refused], str]] = {
    400: (refusals.MalformedJson, "The request can't be understood."),
    404: (refusals.NoSuchRoute, "There is nothing at this address."),
    405: (refusals.MethodNotAllowed, "This address does not take that method."),
    413: (refusals.TooLarge, "The body is too large."),
    415: (refusals.UnsupportedMediaType, "Send JSON."),
}

_log = logging.getLogger("clientforge.api")


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error. `code` is stable, and `type` leads to what it means; `errors` point to each bad field."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: Sequence[refusals.Fault] = ()
    details: Mapping[str, Any] = {}
    request_id: str | None = None


def problem_of(refused: Refused, request_id: str | None = None) -> Problem:
    """A refusal as a problem. Raises KeyError for a class without a status."""
    faults: Sequence[refusals.Fault] = ()
    if isinstance(refused, refusals.InvalidRequest):
        faults = refused.faults
    elif refused.field is not None:
        faults = (refusals.Fault(refused.field, refused.message),)
    return Problem(
        type=f"/api/docs#{refused.code}",
        title=title_of(type(refused)),
        status=STATUS[type(refused)],
        code=refused.code,
        detail=refused.message,
        errors=faults,
        details=refused.details,
        request_id=request_id,
    )


def title_of(refused: type[Refused]) -> str:
    """What a kind of refusal means: the first line of its docstring."""
    return (refused.__doc__ or refused.code).splitlines()[0]


def on_refused(request: Request[Any, Any, Any], refused: Refused) -> Response[bytes]:
    """Answers what the rules don't allow."""
    headers = {"WWW-Authenticate": "Bearer"} if STATUS.get(type(refused)) == 401 else {}
    if "retry_after" in refused.details:
        headers["Retry-After"] = str(refused.details["retry_after"])
    return _response(problem_of(refused, _id_of(request)), headers)


def on_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answers what Litestar refuses by itself: unknown routes and methods, bodies that are too large."""
    if error.status_code >= 500:
        return on_unexpected(request, error)
    kind, message = _OF_HTTP.get(error.status_code, _OF_HTTP[400])
    return _response(problem_of(kind(message), _id_of(request)), dict(error.headers or {}))


def on_store_away(request: Request[Any, Any, Any], error: StoreAway | NotPublished) -> Response[bytes]:
    """Answers while something that the request needs is away."""
    _log.warning("%s: %s", type(error).__name__, error, extra={"request": _id_of(request)})
    return _fault(request, "unavailable", "Try again in a moment.", {"Retry-After": "1"})


def on_took_too_long(request: Request[Any, Any, Any], error: TookTooLong) -> Response[bytes]:
    """Answers for a query that was cut off. Repeating it would take as long: no Retry-After."""
    _log.warning("%s: %s", type(error).__name__, error, extra={"request": _id_of(request)})
    detail = "Ask for less: a narrower filter, fewer kinds of records, a shorter period."
    return _fault(request, "took_too_long", detail)


def on_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answers a fault of ours without its details; they are in the log, under the request's id."""
    # Without the error's message: a database quotes values in it.
    frames = "".join(traceback.format_tb(error.__traceback__))
    _log.error("unexpected error: %s\n%s", told(error), frames, extra={"request": _id_of(request)})
    detail = "Something went wrong on our side. The log tells more under this request's id."
    return _fault(request, "internal_error", detail)


def _fault(
    request: Request[Any, Any, Any], code: str, detail: str, headers: dict[str, str] | None = None
) -> Response[bytes]:
    status, title = FAULTS[code]
    problem = Problem(
        type=f"/api/docs#{code}", title=title, status=status, code=code, detail=detail, request_id=_id_of(request)
    )
    return _response(problem, headers or {})


def _id_of(request: Request[Any, Any, Any]) -> str | None:
    return request.scope.get("state", {}).get("request_id")


def _response(problem: Problem, headers: dict[str, str]) -> Response[bytes]:
    return Response(msgspec.json.encode(problem), status_code=problem.status, media_type=PROBLEM_JSON, headers=headers)
