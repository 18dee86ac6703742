"""Sessions of a browser: the access token in a cookie, for the API's own page. Whoever sends a bearer needs none.

A browser sends a cookie whoever made it ask. So what changes something needs the session's CSRF token besides, in a
header that other sites can't set; the log-in itself takes JSON alone, which other sites can't send unasked.
"""

from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from uuid import UUID

from msgspec import Struct

from api.auth import LogIn, account, log_in, log_out
from api.headers import bearer_token
from api.operations import Call, Operation, Reply
from api.refusals import CsrfTokenMissing
from infrastructure.api_keys import PREFIX, KeyToken
from infrastructure.credentials import WrongCredentials
from infrastructure.second_factors import SecondFactorRequired
from infrastructure.signing import Signer
from infrastructure.tokens import ACCESS_LIFETIME, AccessTokens, Claims

COOKIE = "clientforge"
CSRF_TOKEN = "X-CSRF-Token"  # noqa: S105
_SECONDS = int(ACCESS_LIFETIME.total_seconds())
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class BrowserSession(Struct, frozen=True, kw_only=True):
    """What the page needs besides its cookie: `csrf_token` goes into `X-CSRF-Token` of whatever changes something."""

    csrf_token: str
    expires_in: int


def claims_of(headers: Mapping[str, str], method: str, access_tokens: AccessTokens, csrf: Signer) -> Claims:
    """Who asks: by bearer token or API key, or by the cookie of a browser's session.

    Raises InvalidToken or CsrfTokenMissing.
    """
    cookie = None if "authorization" in headers else _cookie(headers)
    if cookie is None:
        bearer = bearer_token(headers)
        return KeyToken.read(bearer).claims if bearer.startswith(PREFIX) else access_tokens.read(bearer)
    claims = access_tokens.read(cookie)
    if method not in _SAFE_METHODS and not csrf.fits(headers.get(CSRF_TOKEN.lower(), ""), str(claims.session)):
        raise CsrfTokenMissing(f"Send the session's CSRF token in {CSRF_TOKEN}: GET /api/v1/auth/browser tells it.")
    return claims


def start(call: Call[LogIn, Any]) -> Reply:
    """Logs a browser in, by the same log-in as any other. Raises WrongCredentials or SecondFactorRequired."""
    tokens = log_in(call)
    claims = call.services.access_tokens.read(tokens.access_token)
    cookie = _set_cookie(call, tokens.access_token, _SECONDS)
    return Reply(body=_session(call, claims.session), headers={"Set-Cookie": cookie})


def present(call: Call[None, Any]) -> BrowserSession:
    """The session that the browser is in."""
    return _session(call, call.principal.session)


def end(call: Call[None, Any]) -> Reply:
    """Ends the session, and takes the cookie away."""
    log_out(call)
    return Reply(headers={"Set-Cookie": _set_cookie(call, "", 0)})


def _session(call: Call[Any, Any], session: UUID) -> BrowserSession:
    return BrowserSession(csrf_token=call.services.csrf.of(str(session)), expires_in=_SECONDS)


def _set_cookie(call: Call[Any, Any], value: str, seconds: int) -> str:
    """No script reads it, no other site makes a browser send it, and over HTTPS it goes nowhere else."""
    secure = "; Secure" if call.services.settings.is_https else ""
    return f"{COOKIE}={value}; Path=/api; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"


def _cookie(headers: Mapping[str, str]) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return found.value if found and found.value else None


OPERATIONS: list[Operation] = [
    Operation(
        method="POST",
        path="/auth/browser",
        name="log-browser-in",
        summary="Log a browser in: the access token goes into a cookie that no script can read, for 15 minutes.",
        tag="auth",
        limit="login",
        counted_as=account,
        run=start,
        body=LogIn,
        answer=BrowserSession,
        public=True,
        hashes=True,
        refuses=(WrongCredentials, SecondFactorRequired),
        example={"email": "ada@example.com", "password": "correct horse battery staple", "tenant": "acme"},
    ),
    Operation(
        method="GET",
        path="/auth/browser",
        name="browser-session",
        by_person=True,
        summary="The CSRF token of the browser's session, which goes into `X-CSRF-Token` of what changes something.",
        tag="auth",
        run=present,
        answer=BrowserSession,
    ),
    Operation(
        method="DELETE",
        path="/auth/browser",
        name="log-browser-out",
        by_person=True,
        summary="End the browser's session.",
        tag="auth",
        limit="auth",
        run=end,
        answer=None,
        status=204,
    ),
]
