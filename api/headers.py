"""The headers that this API gives a meaning to."""

import re
from collections.abc import Mapping

from api.refusals import MalformedHeader, NotAuthenticated, UnsupportedMediaType

POSITION = "ClientForge-Position"
MIN_POSITION = "ClientForge-Min-Position"
STALE = "ClientForge-Stale"
OF_FILES = ("Content-Disposition", "Repr-Digest")
REQUEST_ID = "X-Request-Id"
IDEMPOTENCY_KEY = "Idempotency-Key"

_ETAG = re.compile(r'"(\d{1,9})"')
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")
_JSON = ("application/json", "application/merge-patch+json")


def etag(version: int) -> str:
    """A version as an entity tag."""
    return f'"{version}"'


def if_match(headers: Mapping[str, str]) -> int | None:
    """The version that a write demands, None when any will do. Raises MalformedHeader."""
    given = headers.get("if-match")
    if given is None or given.strip() == "*":
        return None
    if match := _ETAG.fullmatch(given.strip()):
        return int(match[1])
    raise MalformedHeader('If-Match holds one version as the ETag told it, such as "3".', field=None)


def idempotency_key(headers: Mapping[str, str]) -> str | None:
    """The caller's key for this request. Raises MalformedHeader."""
    given = headers.get(IDEMPOTENCY_KEY.lower())
    if given is None or _KEY.fullmatch(given):
        return given
    raise MalformedHeader(f"{IDEMPOTENCY_KEY} holds 1 to 255 printable ASCII characters without blanks.")


def min_position(headers: Mapping[str, str]) -> int:
    """The position that a query's answer must include. Raises MalformedHeader."""
    given = headers.get(MIN_POSITION.lower(), "0")
    if given.isascii() and given.isdecimal() and len(given) <= 18:
        return int(given)
    raise MalformedHeader(f"{MIN_POSITION} holds a position as {POSITION} told it.")


def bearer_token(headers: Mapping[str, str]) -> str:
    """The access token. Raises NotAuthenticated."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NotAuthenticated("Send 'Authorization: Bearer' with an access token of POST /api/v1/auth/login.")
    return token.strip()


def check_is_json(headers: Mapping[str, str]) -> None:
    """Refuses a body that says to be something else than JSON. Raises UnsupportedMediaType."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _JSON:
        raise UnsupportedMediaType(f"Send the body as {_JSON[0]}.")


def request_id(given: str | None) -> str | None:
    """A caller's request id, None where it is none that belongs into a log."""
    return given if given is not None and _REQUEST_ID.fullmatch(given) else None
