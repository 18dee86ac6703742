"""Dramatiq on Redis: the broker, and the two actors that the projectors consist of."""

import logging
import threading
from typing import Any
from uuid import UUID

import dramatiq
import redis
from dramatiq import Broker, Consumer, MessageProxy, Middleware
from dramatiq.brokers.redis import RedisBroker
from dramatiq.common import dq_name
from dramatiq.errors import Retry
from dramatiq.middleware import Retries

from infrastructure.lanes import Lanes
from infrastructure.log_context import CARRIED, about
from infrastructure.redis import PREFIX
from infrastructure.wakeups import PARKED, PROJECT, QUEUE, SENDER, WakeUps
from projections.engine import Engine
from projections.failures import LONGEST_DELAY, told
from projections.ports import StoreAway

log = logging.getLogger(__name__)

DEAD_MILLISECONDS = 100 * 365 * 86_400_000
"""How long Dramatiq keeps dead letters: until people decide. Its own seven days would hide what is still parked."""


class ProjectionParked(Exception):
    """What a dead letter says: a projection of a tenant waits for `projections retry` or `projections skip`."""


class ProjectingFailed(Exception):
    """An error that no projection answers for; without the original's message, which may quote personal data."""


class SendersContext(Middleware):
    """Has the log lines of a message carry the ids of the request that sent it."""

    def __init__(self) -> None:
        self._of_thread = threading.local()

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Takes up the sender's ids."""
        sender = message.options.get(SENDER) or {}
        self._of_thread.about = about(**{name: sender.get(name) for name in CARRIED})
        self._of_thread.about.__enter__()

    def after_process_message(self, broker: Broker, message: MessageProxy, **_: Any) -> None:
        """Lays them down."""
        self._of_thread.about.__exit__(None, None, None)


class _Retries(Retries):
    """Dramatiq's retries, for which a message that was put back until its turn has not been tried."""

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, exception: BaseException | None = None, **told: Any
    ) -> None:
        """Puts back what an actor had no turn for, and has what failed tried again."""
        if isinstance(exception, Retry):
            broker.enqueue(message, delay=exception.delay)  # type: ignore[arg-type]
            return
        super().after_process_message(broker, message, exception=exception, **told)  # type: ignore[no-untyped-call]


class _Broker(RedisBroker):
    """Dramatiq's, which looks for messages every `look_ms` however seldom a worker wakes its threads.

    Half of an idle worker's traffic were looks at the delayed messages, which have no such hurry.
    """

    def __init__(self, client: redis.Redis, *, look_ms: int, prefix: str, middleware: list[Middleware]) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            client=client, namespace=prefix, middleware=middleware, dead_message_ttl=DEAD_MILLISECONDS
        )
        self._look_ms = look_ms

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """A consumer of a queue, or of the delayed messages of one."""
        delayed = queue_name == dq_name(queue_name)
        return super().consume(queue_name, prefetch, timeout if delayed else self._look_ms)


def open_broker(
    client: redis.Redis, *, retry_base: float = 2.0, prefix: str = PREFIX, look_ms: int = 20
) -> RedisBroker:
    """A broker over a client, which looks for messages every `look_ms`. Messages that fail are retried five times,
    after `retry_base` seconds, twice that, and so on. No time limit ends an actor: a projector ends its turn by itself.
    """
    retries = _Retries(max_retries=5, min_backoff=int(retry_base * 1000), max_backoff=int(LONGEST_DELAY * 1000))
    return _Broker(client, look_ms=look_ms, prefix=prefix, middleware=[retries])


def declare(broker: RedisBroker, engine: Engine, wakeups: WakeUps) -> None:
    """Binds the actors of this process to its engine."""
    lanes = Lanes()
    broker.add_middleware(lanes)
    broker.add_middleware(SendersContext())

    def drain(group: str, tenant: UUID) -> None:
        wakeups.seen(group, tenant)
        try:
            if not engine.drain(group, tenant):
                wakeups.wake([(group, tenant)])
        except StoreAway as error:
            log.warning("PostgreSQL is away, the sweeper will wake %s of tenant %s: %s", group, tenant, error)
        except Exception as error:
            raise ProjectingFailed(told(error)) from None

    @dramatiq.actor(broker=broker, actor_name=PROJECT, queue_name=QUEUE)
    def project(group: str, tenant: str) -> None:
        """Brings a group of projections of a tenant to the end of its log."""
        lanes.run(group, UUID(tenant), drain)

    @dramatiq.actor(broker=broker, actor_name=PARKED, queue_name=QUEUE, throws=ProjectionParked)
    def parked(tenant: str, projection: str, position: int, error: str) -> None:
        """Becomes a dead letter, which is what tells people."""
        raise ProjectionParked(f"{projection} of tenant {tenant} before position {position}: {error}")
