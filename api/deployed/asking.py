"""A deployed system, asked over HTTP: whatever happens is an answer."""

import time
from types import TracebackType
from typing import Any, Self

import httpx
from msgspec import Struct

from api.app import PREFIX
from api.headers import STALE

_SECONDS = 10.0


class Answer(Struct, frozen=True, kw_only=True):
    """What came back. `status` is 0 when nothing did; `body` is None where it was no JSON."""

    status: int
    milliseconds: float
    why: str
    body: Any = None
    stale: bool = False

    @property
    def is_well(self) -> bool:
        """Whether it was answered as asked."""
        return 200 <= self.status < 300


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
        """A request to any path."""
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
            why=_why(answer.status_code, content),
            body=content,
            stale=STALE in answer.headers,
        )


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _why(status: int, content: Any) -> str:
    """The status, and the problem's code where it is one of ours."""
    code = content.get("code") if isinstance(content, dict) else None
    return f"{status} {code}" if code else str(status)
