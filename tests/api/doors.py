"""The tests' application with other settings: tighter limits, another Redis, a peer of one's choice."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import httpx
import redis
from litestar.enums import ScopeType
from litestar.testing import TestClient
from litestar.types import ASGIApp, Receive, Scope, Send
from redis.backoff import NoBackoff
from redis.retry import Retry

from api.app import create
from infrastructure.bootstrap import Application
from infrastructure.redis import connect_briefly
from tests.api.stand import API, Person


@contextmanager
def opened(
    application: Application, *, peer: str = "192.0.2.1", away: redis.Redis | None = None, **settings: Any
) -> Iterator[TestClient[Any]]:
    """A client that connects from `peer` to the same application with other settings, or with a Redis that is away."""
    changed = replace(
        application,
        settings=application.settings.model_copy(update=settings),
        redis=away or application.redis,
    )
    app = create(changed)
    app.asgi_handler = partial(_from_peer, app.asgi_handler, peer)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


async def _from_peer(inner: ASGIApp, peer: str, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == ScopeType.HTTP:
        scope["client"] = (peer, 50_000)
    await inner(scope, receive, send)


def at(client: TestClient[Any], person: Person) -> Person:
    """The same person at another door."""
    return replace(person, client=client)


def log_in(
    client: TestClient[Any], tenant: str, email: str, address: str = "", path: str = "/auth/login"
) -> httpx.Response:
    """An attempt with a password that is wrong."""
    headers = {"X-Forwarded-For": address} if address else {}
    body = {"email": email, "password": "not the password", "tenant": tenant}
    return client.post(f"{API}{path}", json=body, headers=headers)


def gone_redis() -> redis.Redis:
    """A client of a server that isn't there."""
    return redis.Redis(port=1, retry=Retry(NoBackoff(), 0))


@contextmanager
def silent_redis() -> Iterator[redis.Redis]:
    """A client of a server that takes connections and never answers: every try costs the time-out."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield connect_briefly(f"redis://127.0.0.1:{server.getsockname()[1]}/0")
