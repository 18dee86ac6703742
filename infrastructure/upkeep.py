"""When the tasks of upkeep were last done, and whether they went well: what alerts and checklists ask."""

import time
from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec
import redis
from msgspec import Struct

from infrastructure.redis import PREFIX

Task = Literal["chain_verification", "backup", "recovery_drill"]
TASKS: tuple[Task, ...] = get_args(Task)


class Done(Struct, frozen=True, kw_only=True):
    """A task as it was last done: when (seconds since 1970), and whether it went well."""

    at: float
    well: bool


class Upkeep:
    """The last outcome of each task, in Redis: forgetting it raises an alert, and the next run notes it anew."""

    def __init__(self, client: redis.Redis, *, prefix: str = PREFIX) -> None:
        self._client = client
        self._key = f"{prefix}:upkeep"

    def note(self, task: Task, *, well: bool) -> None:
        """Notes that a task was done now. Raises redis.RedisError."""
        self._client.hset(self._key, task, msgspec.json.encode(Done(at=time.time(), well=well)))

    def last(self) -> Mapping[Task, Done]:
        """Each task's last outcome, of those that were ever done. Raises redis.RedisError."""
        found: Any = self._client.hmget(self._key, list(TASKS))
        return {
            task: msgspec.json.decode(body, type=Done)
            for task, body in zip(TASKS, found, strict=True)
            if body is not None
        }
