"""Rate limits: a moving window per partition, exact over all processes by Redis, per process without it.

The windows are those of the `limits` library. Its scripts run inside one of ours, so that the limits of a user and of
an address are checked and taken together, in one round trip, by Redis' own clock: a request that one of them refuses
counts against neither.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any, Literal

import redis
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter
from msgspec import Struct

from domain.tenants.events import Plan
from infrastructure.redis import PREFIX, Pause
from infrastructure.settings import RATE_CLASSES, RateClass, Settings
from projections.ports import StoreAway

log = logging.getLogger(__name__)

EXACT: frozenset[RateClass] = frozenset({"login"})
"""Classes that nobody passes while they can't be counted over all processes: what they slow down is guessing."""

_MOST_IN_MEMORY = 10_000
"""Partitions that a process keeps without Redis; beyond, it forgets and begins anew rather than grow."""

_BLUR = 0.001
"""Seconds. The library tells the beginning of a window to a ten-thousandth."""

# KEYS: a window each. ARGV: per window how many requests in how many seconds.
# Answers 1 when all had room, then per window: the requests in it before this one, and the seconds until one leaves it.
_TAKE = b"""
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local passed, told = 1, {}
for i, key in ipairs(KEYS) do
    local limit, seconds = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    local held = window({key}, {now - seconds, limit}) or {now, 0}
    if held[2] >= limit then passed = 0 end
    told[i] = {held[2], tostring(tonumber(held[1]) + seconds - now)}
end
for i, key in ipairs(KEYS) do
    if passed == 1 and not acquire({key}, {now, ARGV[2 * i - 1], ARGV[2 * i], 1}) then passed = 0 end
end
return {passed, told}
"""


def _function(name: bytes, body: bytes) -> bytes:
    return b"local function " + name + b"(KEYS, ARGV)\n" + body + b"\nend\n"


_SCRIPT = (
    _function(b"window", RedisStorage.SCRIPT_MOVING_WINDOW)
    + _function(b"acquire", RedisStorage.SCRIPT_ACQUIRE_MOVING_WINDOW)
    + _TAKE
)


class Partition(Struct, frozen=True, kw_only=True):
    """Whose requests are counted together. A `limit` of its own, in limits' notation, stands instead of that of the
    class: of an API key there may be one such partition more."""

    kind: Literal["user", "key", "address", "account"]
    id: str
    limit: str | None = None


class Standing(Struct, frozen=True, kw_only=True):
    """How a request left the tightest of its limits: `remaining` requests of `quota` in a window of `seconds`, and
    `wait` seconds until the oldest leaves the window."""

    name: RateClass
    kind: str
    passed: bool
    quota: int
    seconds: int
    remaining: int
    wait: float

    @property
    def headers(self) -> Mapping[str, str]:
        """RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10)."""
        return {
            "RateLimit": f'"{self.name}";r={self.remaining};t={max(0, math.ceil(self.wait - _BLUR))}',
            "RateLimit-Policy": f'"{self.name}";q={self.quota};w={self.seconds}',
        }

    @property
    def retry_after(self) -> int:
        """Whole seconds after which a refused request would pass."""
        return max(1, math.ceil(self.wait + _BLUR))


class RateLimits:
    """Counts requests. `on_fallback` is told the class of each request that this process counted by itself."""

    def __init__(
        self,
        client: redis.Redis,
        settings: Settings,
        *,
        on_fallback: Callable[[RateClass], None] = lambda _: None,
        prefix: str = PREFIX,
    ) -> None:
        self._script = client.register_script(_SCRIPT)
        self._prefix = prefix
        self._limits = _table(settings)
        self._on_fallback = on_fallback
        self._pause = Pause()
        self._memory = _Memory()

    def take(self, name: RateClass, partitions: Sequence[Partition], plan: Plan | None = None) -> Standing:
        """Counts a request against all partitions, or against none when one of them is full.

        Raises StoreAway for a class of EXACT while Redis is away.
        """
        limits = [parse(each.limit) if each.limit else self._limit(name, plan) for each in partitions]
        keys = [limit.key_for(name, each.kind, each.id) for limit, each in zip(limits, partitions, strict=True)]
        passed, told = self._taken(name, limits, keys)
        standings = [
            Standing(
                name=name,
                kind=partition.kind,
                passed=passed or count < limit.amount,
                quota=limit.amount,
                seconds=limit.get_expiry(),
                remaining=max(0, limit.amount - count - passed),
                wait=wait,
            )
            for partition, limit, (count, wait) in zip(partitions, limits, told, strict=True)
        ]
        full = [each for each in standings if not each.passed]
        return max(full, key=lambda each: each.wait) if full else min(standings, key=lambda each: each.remaining)

    def _limit(self, name: RateClass, plan: Plan | None) -> RateLimitItem:
        return self._limits.get((plan, name)) or self._limits[None, name]

    def _taken(
        self, name: RateClass, limits: Sequence[RateLimitItem], keys: Sequence[str]
    ) -> tuple[bool, list[tuple[int, float]]]:
        if not self._pause.goes_on:
            try:
                arguments = [number for limit in limits for number in (limit.amount, limit.get_expiry())]
                answer: Any = self._script(keys=[f"{self._prefix}:limit:{key}" for key in keys], args=arguments)
                self._memory.forget()
                return bool(answer[0]), [(count, float(wait)) for count, wait in answer[1]]
            except redis.RedisError as error:
                self._pause.begin()
                log.warning("each process limits requests by itself: Redis is away: %s", type(error).__name__)
        if name in EXACT:
            raise StoreAway("Redis: log-ins can't be counted")
        self._on_fallback(name)
        return self._memory.take(limits, keys)


class _Memory:
    """The windows of one process while Redis is away."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._storage: MemoryStorage | None = None

    def take(self, limits: Sequence[RateLimitItem], keys: Sequence[str]) -> tuple[bool, list[tuple[int, float]]]:
        with self._lock:
            limiter = MovingWindowRateLimiter(self._opened())
            pairs = list(zip(limits, keys, strict=True))
            before = [limiter.get_window_stats(limit, key) for limit, key in pairs]
            passed = all(each.remaining > 0 for each in before) and all(limiter.hit(*pair) for pair in pairs)
            now = time.time()
            told = [
                (used := limit.amount - stats.remaining, stats.reset_time - now if used else float(limit.get_expiry()))
                for limit, stats in zip(limits, before, strict=True)
            ]
        return passed, told

    def forget(self) -> None:
        """Redis counts again."""
        if self._storage is not None:
            with self._lock:
                self._storage = None

    def _opened(self) -> MemoryStorage:
        if self._storage is None or len(self._storage.events) > _MOST_IN_MEMORY:
            self._storage = MemoryStorage()
        return self._storage


def _table(settings: Settings) -> Mapping[tuple[Plan | None, RateClass], RateLimitItem]:
    """Each class's limit, and those of plans that differ."""
    table: dict[tuple[Plan | None, RateClass], RateLimitItem] = {
        (None, name): parse(getattr(settings, f"rate_limit_{name}")) for name in RATE_CLASSES
    }
    for plan, limits in settings.rate_limit_plans.items():
        table |= {(plan, name): parse(limit) for name, limit in limits.items()}
    return table
