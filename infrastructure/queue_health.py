"""How the queue is: what waits, what failed, what is dead, and who works on it."""

import time
from typing import Any

import msgspec
import redis
from dramatiq.common import dq_name, xq_name
from msgspec import Struct

from infrastructure.redis import PREFIX
from infrastructure.wakeups import QUEUE

ALIVE_SECONDS = 10.0
"""How recent the sign of life of a worker must be."""

MOST_DELAYED = 50
MOST_WAITING = 1_000


class QueueFigures(Struct, frozen=True, kw_only=True):
    """A queue at one moment. `delayed` are messages that failed and wait for their next try; `oldest_seconds` is how
    long the first of those waiting has waited; `swept_seconds` how long ago the sweeper ran, None for never."""

    waiting: int
    in_progress: int
    delayed: int
    dead: int
    oldest_seconds: float
    workers: int
    swept_seconds: float | None

    @property
    def problems(self) -> list[str]:
        """What is wrong, in words; empty when the queue is healthy."""
        found = {
            f"{self.dead} dead letters": self.dead > 0,
            f"{self.delayed} failed, more than {MOST_DELAYED}": self.delayed > MOST_DELAYED,
            f"{self.waiting} waiting, more than {MOST_WAITING}": self.waiting > MOST_WAITING,
            "paused: no worker takes messages": self.workers == 0,
        }
        return [problem for problem, is_so in found.items() if is_so]


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A message that nobody will try again: what was to be done, and since when (seconds since 1970) it is dead."""

    actor: str
    arguments: list[Any]
    since: float


class Queue:
    """The projectors' queue in Redis, read in Dramatiq's own layout. Raises redis.RedisError."""

    def __init__(self, client: redis.Redis, *, prefix: str = PREFIX) -> None:
        self._client = client
        self._name = f"{prefix}:{QUEUE}"
        self._delayed = f"{prefix}:{dq_name(QUEUE)}"
        self._dead = f"{prefix}:{xq_name(QUEUE)}"
        self._workers = f"{prefix}:workers"
        self._swept = f"{prefix}:swept"

    def figures(self) -> QueueFigures:
        """All figures, in two round trips."""
        now = time.time()
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.llen(self._name)
            pipeline.hlen(f"{self._name}.msgs")
            pipeline.hlen(f"{self._delayed}.msgs")
            pipeline.zcard(self._dead)
            pipeline.zcount(self._workers, now - ALIVE_SECONDS, "+inf")
            pipeline.get(self._swept)
            pipeline.lindex(self._name, 0)
            waiting, known, delayed, dead, workers, swept, oldest = pipeline.execute()
        return QueueFigures(
            waiting=waiting,
            in_progress=max(0, known - waiting),
            delayed=delayed,
            dead=dead,
            oldest_seconds=self._age(oldest, now),
            workers=workers,
            swept_seconds=None if swept is None else max(0.0, now - float(swept)),
        )

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """The dead letters, the newest first."""
        found: Any = self._client.zrevrange(self._dead, 0, limit - 1, withscores=True)
        if not found:
            return []
        bodies: Any = self._client.hmget(f"{self._dead}.msgs", [id for id, _ in found])
        letters = []
        for (_, milliseconds), body in zip(found, bodies, strict=True):
            if body is not None:
                message = msgspec.json.decode(body)
                letters.append(
                    DeadLetter(actor=message["actor_name"], arguments=message["args"], since=milliseconds / 1000)
                )
        return letters

    def clear_dead_letters(self) -> int:
        """Deletes all dead letters; how many there were. What is parked stays parked."""
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.zcard(self._dead)
            pipeline.delete(self._dead, f"{self._dead}.msgs")
            return int(pipeline.execute()[0])

    def worker_is_alive(self, worker: str) -> None:
        """Notes a worker's sign of life, and forgets those without one."""
        now = time.time()
        with self._client.pipeline(transaction=False) as pipeline:
            pipeline.zadd(self._workers, {worker: now})
            pipeline.zremrangebyscore(self._workers, "-inf", now - 10 * ALIVE_SECONDS)
            pipeline.execute()

    def worker_is_gone(self, worker: str) -> None:
        """Notes that a worker has ended."""
        self._client.zrem(self._workers, worker)

    def swept(self) -> None:
        """Notes that the sweeper has run."""
        self._client.set(self._swept, time.time())

    def _age(self, message: bytes | None, now: float) -> float:
        body: Any = None if message is None else self._client.hget(f"{self._name}.msgs", message.decode())
        return 0.0 if body is None else max(0.0, now - msgspec.json.decode(body)["message_timestamp"] / 1000)
