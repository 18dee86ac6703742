"""What a deployed system doesn't say over HTTP, asked of its database and its Redis: migrations, queues, workers."""

from collections.abc import Iterator

import redis

from infrastructure.checks.postgres import schema
from infrastructure.findings import Finding, failure, ok
from infrastructure.queue_health import QueueHealth, Queues
from infrastructure.redis import connect
from infrastructure.settings import Settings

_SWEPT_SECONDS = 60.0


def behind(settings: Settings) -> list[Finding]:
    """Migrations, queues, workers and the sweeper."""
    return [*schema(settings.database_url.get_secret_value()), *_processes(settings)]


def _processes(settings: Settings) -> Iterator[Finding]:
    try:
        with connect(settings.redis_url.get_secret_value()) as client:
            health = Queues(client, prefix=settings.redis_prefix).health()
    except redis.RedisError as error:
        yield failure("queues", f"Redis can't be asked ({type(error).__name__})", "clientforge verify services")
        return
    yield from _queues(health)
    if health.workers:
        yield ok("workers", f"{health.workers} take messages")
    else:
        yield failure("workers", "no worker takes messages", "start `clientforge worker`")
    since, most = health.swept_seconds, max(_SWEPT_SECONDS, 10 * settings.sweep_seconds)
    if since is None or since > most:
        ran = "never ran" if since is None else f"ran {since:.0f} s ago"
        yield failure("sweeper", f"it {ran}", "start `clientforge sweeper`")
    else:
        yield ok("sweeper", f"it ran {since:.1f} s ago")


def _queues(health: QueueHealth) -> Iterator[Finding]:
    for queue in health.queues:
        if queue.problems:
            yield failure("queues", "; ".join(queue.problems), "clientforge queue health")
        else:
            yield ok("queues", f"{queue.queue}: {queue.waiting} waiting, none dead")
