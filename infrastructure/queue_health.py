"""How the queues are: what waits, what failed, what is dead, and who works on it."""

import time
from collections.abc import Sequence
from statistics import mean
from typing import Any

import msgspec
import redis
from dramatiq.common import dq_name, xq_name
from msgspec import Struct

from infrastructure.redis import PREFIX
from infrastructure.wakeups import QUEUES

ALIVE_SECONDS = 10.0
"""How recent the sign of life of a worker must be."""

MOST_DELAYED = 50
MOST_WAITING = 1_000
_LOOKED_AT = 200
"""Delayed messages that are looked at, for whether they failed. Of more, the share of these that did is told of all."""


class QueueFigures(Struct, frozen=True, kw_only=True):
    """A queue at one moment. `delayed` are messages that failed and wait for their next try; `waiting` are all others
    that nobody works on, also those put back until their turn. `oldest_seconds` is how long the first in the queue has
    waited."""

    queue: str
    waiting: int
    in_progress: int
    delayed: int
    dead: int
    oldest_seconds: float

    @property
    def problems(self) -> list[str]:
        """What is wrong, in words; empty when the queue is healthy."""
        found = {
            f"{self.dead} dead letters": self.dead > 0,
            f"{self.delayed} failed, more than {MOST_DELAYED}": self.delayed > MOST_DELAYED,
            f"{self.waiting} waiting, more than {MOST_WAITING}": self.waiting > MOST_WAITING,
        }
        return [f"{self.queue}: {problem}" for problem, is_so in found.items() if is_so]


class QueueHealth(Struct, frozen=True, kw_only=True):
    """All queues at one moment, and who works on them. `swept_seconds` is how long ago the sweeper ran, None for
    never."""

    queues: Sequence[QueueFigures]
    workers: int
    swept_seconds: float | None

    @property
    def problems(self) -> list[str]:
        """What is wrong, in words; empty when all is well."""
        found = [problem for queue in self.queues for problem in queue.problems]
        return found if self.workers else [*found, "paused: no worker takes messages"]

    @property
    def dead(self) -> int:
        """Dead letters of all queues."""
        return sum(each.dead for each in self.queues)


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A message that nobody will try again: what was to be done, and since when (seconds since 1970) it is dead."""

    queue: str
    id: str
    actor: str
    arguments: list[Any]
    since: float


class Queues:
    """The queues in Redis, read in Dramatiq's own layout. Raises redis.RedisError."""

    def __init__(self, client: redis.Redis, *, prefix: str = PREFIX, names: Sequence[str] = QUEUES) -> None:
        self._client = client
        self._prefix = prefix
        self._names = names
        self._workers = f"{prefix}:workers"
        self._swept = f"{prefix}:swept"

    def health(self) -> QueueHealth:
        """All figures, in two round trips."""
        now = time.time()
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.zcount(self._workers, now - ALIVE_SECONDS, "+inf")
            pipeline.get(self._swept)
            for name in self._names:
                pipeline.llen(self._key(name))
                pipeline.hlen(f"{self._key(name)}.msgs")
                pipeline.hlen(f"{self._key(dq_name(name))}.msgs")
                pipeline.hrandfield(f"{self._key(dq_name(name))}.msgs", _LOOKED_AT, withvalues=True)
                pipeline.zcard(self._key(xq_name(name)))
                pipeline.lindex(self._key(name), 0)
            workers, swept, *found = pipeline.execute()
        ages = self._ages(dict(zip(self._names, found[5::6], strict=True)), now)
        queues = []
        for name, queued, known, later, some, dead in zip(
            self._names, found[0::6], found[1::6], found[2::6], found[3::6], found[4::6], strict=True
        ):
            failed = round(later * mean(_was_tried(body) for body in some[1::2])) if some else 0
            queues.append(
                QueueFigures(
                    queue=name,
                    waiting=queued + later - failed,
                    in_progress=max(0, known - queued),
                    delayed=failed,
                    dead=dead,
                    oldest_seconds=ages.get(name, 0.0),
                )
            )
        return QueueHealth(
            queues=queues,
            workers=workers,
            swept_seconds=None if swept is None else max(0.0, now - float(swept)),
        )

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """The dead letters of all queues, each queue's newest first, `limit` of each at most."""
        return [letter for name in self._names for letter in self._dead_letters(name, limit)]

    def try_again(self, letter: DeadLetter) -> bool:
        """Puts a dead letter back into its queue, as a message that was never tried. False when it is gone."""
        dead = self._key(xq_name(letter.queue))
        body: Any = self._client.hget(f"{dead}.msgs", letter.id)
        if body is None:
            return False
        message = msgspec.json.decode(body)
        for told in ("retries", "traceback", "requeue_timestamp", "eta"):
            message["options"].pop(told, None)
        queue = self._key(letter.queue)
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.hset(f"{queue}.msgs", letter.id, msgspec.json.encode({**message, "queue_name": letter.queue}))
            pipeline.rpush(queue, letter.id)
            self._forget(pipeline, letter)
            pipeline.execute()
        return True

    def forget(self, letters: Sequence[DeadLetter]) -> None:
        """Deletes dead letters."""
        with self._client.pipeline(transaction=True) as pipeline:
            for letter in letters:
                self._forget(pipeline, letter)
            pipeline.execute()

    def clear_dead_letters(self) -> int:
        """Deletes all dead letters; how many there were. What is parked stays parked."""
        cleared = 0
        for name in self._names:
            dead = self._key(xq_name(name))
            with self._client.pipeline(transaction=True) as pipeline:
                pipeline.zcard(dead)
                pipeline.delete(dead, f"{dead}.msgs")
                cleared += int(pipeline.execute()[0])
        return cleared

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

    def _key(self, queue: str) -> str:
        return f"{self._prefix}:{queue}"

    def _forget(self, pipeline: Any, letter: DeadLetter) -> None:
        dead = self._key(xq_name(letter.queue))
        pipeline.zrem(dead, letter.id)
        pipeline.hdel(f"{dead}.msgs", letter.id)

    def _dead_letters(self, queue: str, limit: int) -> list[DeadLetter]:
        dead = self._key(xq_name(queue))
        found: Any = self._client.zrevrange(dead, 0, limit - 1, withscores=True)
        if not found:
            return []
        bodies: Any = self._client.hmget(f"{dead}.msgs", [id for id, _ in found])
        letters = []
        for (id, milliseconds), body in zip(found, bodies, strict=True):
            if body is not None:
                message = msgspec.json.decode(body)
                told = {"actor": message["actor_name"], "arguments": message["args"], "since": milliseconds / 1000}
                letters.append(DeadLetter(queue=queue, id=id.decode(), **told))
        return letters

    def _ages(self, first: dict[str, bytes | None], now: float) -> dict[str, float]:
        """How long the first message of each queue waits, of those that have one."""
        asked = {name: id.decode() for name, id in first.items() if id is not None}
        with self._client.pipeline(transaction=False) as pipeline:
            for name, id in asked.items():
                pipeline.hget(f"{self._key(name)}.msgs", id)
            bodies = pipeline.execute() if asked else []
        return {
            name: max(0.0, now - msgspec.json.decode(body)["message_timestamp"] / 1000)
            for name, body in zip(asked, bodies, strict=True)
            if body is not None
        }


def _was_tried(message: bytes) -> bool:
    return bool(msgspec.json.decode(message)["options"].get("retries"))
