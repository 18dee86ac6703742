"""Redis: its clients, and the users' last positions for read-your-writes."""

import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

PREFIX = "{clientforge}"
"""Before every key. The braces keep all keys in one slot of a cluster, as scripts over several keys need it."""

POSITION_SECONDS = 86_400
"""How long a user's last position is remembered: what is older is projected, or stands for other reasons."""


def connect(url: str) -> redis.Redis:
    """A client for work that can wait a little: the queue's consumers, figures."""
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=2,
        socket_timeout=5,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 3),
    )


def connect_once(url: str) -> redis.Redis:
    """A client for somebody who waits for the answer: a server that hangs is told within four seconds."""
    return redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=4, retry=Retry(NoBackoff(), 0))


def connect_briefly(url: str, on_asked: Callable[[float, bool], object] | None = None) -> redis.Redis:
    """A client for what a request goes through: it fails rather than waits. One retry: a pooled connection may be
    of a server that has restarted. `on_asked` is told how many seconds each command took, and whether it failed."""
    client: _TimedClient = _TimedClient.from_url(  # type: ignore[assignment]
        url, socket_connect_timeout=0.25, socket_timeout=0.5, health_check_interval=0, retry=Retry(NoBackoff(), 1)
    )
    client.on_asked = on_asked
    return client


class _TimedClient(redis.Redis):
    on_asked: Callable[[float, bool], object] | None = None

    def execute_command(self, *arguments: Any, **options: Any) -> Any:
        started, failed = time.perf_counter(), True
        try:
            answer = super().execute_command(*arguments, **options)  # type: ignore[no-untyped-call]
            failed = False
            return answer
        finally:
            if self.on_asked is not None:
                self.on_asked(time.perf_counter() - started, failed)


class Pause:
    """Some time without asking Redis after it didn't answer: each try would cost its request the time-out."""

    def __init__(self, seconds: float = 1.0) -> None:
        self._seconds = seconds
        self._ends_at = 0.0

    @property
    def goes_on(self) -> bool:
        """Whether Redis is left alone for now."""
        return time.monotonic() < self._ends_at

    def begin(self) -> None:
        """Redis didn't answer."""
        self._ends_at = time.monotonic() + self._seconds


def positions_key(prefix: str, tenant: UUID, actor: str) -> str:
    """Where the positions of an actor's last appends are kept: a hash, by entity."""
    return f"{prefix}:positions:{tenant}:{actor}"


class LastPositions:
    """The position of each user's last append to each entity."""

    def __init__(self, client: redis.Redis, prefix: str = PREFIX) -> None:
        self._client = client
        self._prefix = prefix
        self._pause = Pause()

    def of(self, tenant: UUID, user: UUID) -> Mapping[str, int] | None:
        """The positions that this user's reads must have passed, by entity; None when Redis is away."""
        if self._pause.goes_on:
            return None
        try:
            found: Any = self._client.hgetall(positions_key(self._prefix, tenant, f"user-{user}"))
        except redis.RedisError:
            self._pause.begin()
            return None
        return {entity.decode(): int(position) for entity, position in found.items()}
