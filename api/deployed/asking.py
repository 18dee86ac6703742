"""A deployed system, asked over HTTP: whatever happens is an answer."""

import re
import time
from types import TracebackType
from typing import Any, Self

import httpx
from msgspec import Struct

from api.app import PREFIX
from api.headers import STALE
from api.refusals import TooManyAtOnce

_SECONDS = 10.0
_PATIENCE = 20
"""Seconds that it waits for a rate limit, once for each request."""
_POLICY = re.compile(r'"(\w+)";q=(\d+);w=(\d+)')


class Answer(Struct, frozen=True, kw_only=True):
    """What came back. `status` is 0 when nothing did; `body` is None where it was no JSON."""

    status: int
    milliseconds: float
    why: str
    body: Any = None
    stale: bool = False
    retry_after: int | None = None

    @property
    def is_well(self) -> bool:
        """Whether it was answered as asked."""
        return 200 <= self.status < 300

    @property
    def is_limited(self) -> bool:
        """Whether it was one request too many, which says nothing of what was asked."""
        return self.status == 429

    def todo(self, otherwise: str) -> str:
        """What to do about it: to wait, where a rate limit refused it."""
        if not self.is_limited:
            return otherwise
        return "try again later" if self.retry_after is None else f"try again in {self.retry_after} seconds"


class Deployed:
    """A system at a URL, for one client with one token, or without."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._client = httpx.Client(base_url=self.url, timeout=_SECONDS, headers=headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def bearing(self, token: str) -> "Deployed":
        """The same system, for whoever has this token."""
        return Deployed(self.url, token)

    def ask(self, method: str, path: str, body: Any = None, **parameters: Any) -> Answer:
        """A request below the API's prefix."""
        return self.at(method, PREFIX + path, body, **parameters)

    def at(self, method: str, path: str, body: Any = None, **parameters: Any) -> Answer:
        """A request to any path. One that a rate limit refuses is sent again, once, if it needn't wait for long."""
        answer = self._at(method, path, body, parameters)
        if answer.retry_after is None or answer.retry_after > _PATIENCE:
            return answer
        time.sleep(answer.retry_after)
        return self._at(method, path, body, parameters)

    def _at(self, method: str, path: str, body: Any, parameters: dict[str, Any]) -> Answer:
        started = time.perf_counter()
        try:
            answer = self._client.request(method, path, json=body, params=parameters or None)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            taken = (time.perf_counter() - started) * 1000
            return Answer(status=0, milliseconds=taken, why=f"no answer ({type(error).__name__})")
        content = _json(answer)
        return Answer(
            status=answer.status_code,
            milliseconds=(time.perf_counter() - started) * 1000,
            why=_why(answer, content),
            body=content,
            stale=STALE in answer.headers,
            retry_after=_retry_after(answer),
        )


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _retry_after(answer: httpx.Response) -> int | None:
    told = answer.headers.get("Retry-After", "")
    return int(told) if answer.status_code == 429 and told.isdecimal() else None


def _why(answer: httpx.Response, content: Any) -> str:
    """The status, and the problem's code where it is one of ours; of a rate limit, which one."""
    code = content.get("code") if isinstance(content, dict) else None
    told = f"{answer.status_code} {code}" if code else str(answer.status_code)
    if answer.status_code != 429 or code == TooManyAtOnce.code:
        return told
    policy = _POLICY.match(answer.headers.get("RateLimit-Policy", ""))
    limit = f"'{policy[1]}' of {policy[2]} in {policy[3]} seconds" if policy else "of what answers there"
    return f"{told}: this address or user is over the limit {limit}"
