"""Dramatiq on Redis: the broker, and the two actors that the projectors consist of."""

import logging
import threading
from typing import Any
from uuid import UUID

import dramatiq
import redis
from dramatiq import Broker, MessageProxy, Middleware
from dramatiq.brokers.redis import RedisBroker
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


def open_broker(client: redis.Redis, *, retry_base: float = 2.0, prefix: str = PREFIX) -> RedisBroker:
    """A broker over a client. Messages that fail are retried five times, after `retry_base` seconds, twice that, and
    so on. No time limit ends an actor: a projector ends its turn by itself."""
    retries = Retries(max_retries=5, min_backoff=int(retry_base * 1000), max_backoff=int(LONGEST_DELAY * 1000))
    return RedisBroker(  # type: ignore[no-untyped-call]
        client=client, namespace=prefix, middleware=[retries], dead_message_ttl=DEAD_MILLISECONDS
    )


def declare(broker: RedisBroker, engine: Engine, wakeups: WakeUps) -> None:
    """Binds the actors of this process to its engine."""
    lanes = Lanes()
    broker.add_middleware(lanes)
    broker.add_middleware(SendersContext())

    def drain(group: str, tenant: UUID) -> None:
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
        wakeups.seen(group, UUID(tenant))
        lanes.run(group, UUID(tenant), drain)

    @dramatiq.actor(broker=broker, actor_name=PARKED, queue_name=QUEUE, throws=ProjectionParked)
    def parked(tenant: str, projection: str, position: int, error: str) -> None:
        """Becomes a dead letter, which is what tells people."""
        raise ProjectionParked(f"{projection} of tenant {tenant} before position {position}: {error}")
