"""Redis: that it answers quickly, keeps what it is told, and never throws a message away to make room."""

import time
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from infrastructure.checks.addresses import address
from infrastructure.findings import Finding, failure, ok, warning

_CONNECTION, _MEMORY, _DISK, _LATENCY = "Redis connection", "Redis memory", "Redis persistence", "Redis latency"
_SLOW_MS = 5.0
"""Every request counts against a limit in Redis, and waits for it."""


def redis_server(url: str) -> list[Finding]:
    """Connection, latency, eviction and persistence."""
    try:
        client = redis.Redis.from_url(
            url, socket_connect_timeout=2, socket_timeout=3, retry=Retry(NoBackoff(), 0), decode_responses=True
        )
    except ValueError as error:
        return [failure(_CONNECTION, f"REDIS_URL: {type(error).__name__}", "see .env.example for how it is written")]
    with client:
        try:
            milliseconds = _latency(client)
            memory, disk = client.info("memory"), client.info("persistence")
        except redis.RedisError as error:
            told = f"{address(url)} doesn't answer ({type(error).__name__})"
            return [failure(_CONNECTION, told, "see whether it runs, and whether its password is right")]
        return [
            ok(_CONNECTION, f"{address(url)} answers"),
            _quick(milliseconds),
            _keeps(memory),
            _persists(client, disk),
        ]


def _latency(client: redis.Redis) -> float:
    """Milliseconds of the middle one of some round trips."""
    taken = []
    for _ in range(6):
        started = time.perf_counter()
        client.ping()
        taken.append((time.perf_counter() - started) * 1000)
    return sorted(taken[1:])[2]  # the first one connects


def _quick(milliseconds: float) -> Finding:
    told = f"a round trip takes {milliseconds:.1f} ms"
    if milliseconds > _SLOW_MS:
        return warning(_LATENCY, told, "every request waits for it: put it near the API, and see what loads it")
    return ok(_LATENCY, told)


def _keeps(memory: Any) -> Finding:
    policy, most = memory.get("maxmemory_policy", "unknown"), int(memory.get("maxmemory", 0))
    if policy != "noeviction":
        todo = "CONFIG SET maxmemory-policy noeviction, and in its configuration"
        return failure(_MEMORY, f"maxmemory-policy is {policy}: messages and limits may be thrown away", todo)
    used = int(memory["used_memory"])
    if most and used > 0.9 * most:
        return warning(_MEMORY, f"{used / most:.0%} of maxmemory are used", "raise maxmemory before writes are refused")
    room = f"of {most / 1e6:.0f} MB" if most else "without a limit"
    return ok(_MEMORY, f"noeviction; {used / 1e6:.0f} MB are used, {room}")


def _persists(client: redis.Redis, disk: Any) -> Finding:
    for name in ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status"):
        if disk.get(name, "ok") != "ok":
            return failure(_DISK, f"{name} is {disk[name]}", "see its log, and whether its disk is full")
    if disk.get("aof_enabled"):
        return ok(_DISK, "appendonly: what is acknowledged is on disk within a second")
    if _saves(client):
        return warning(_DISK, "snapshots only: a crash forgets what came after the last one", "set appendonly yes")
    return warning(_DISK, "nothing is written to disk: a restart forgets dead letters and limits", "set appendonly yes")


def _saves(client: redis.Redis) -> bool:
    """Whether snapshots are made; servers that don't tell their configuration usually make some."""
    try:
        told: Any = client.config_get("save")
    except redis.ResponseError:
        return True
    return bool(told.get("save"))
