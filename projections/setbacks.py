"""What follows from a failure: wait and try again, or park the projection of that tenant alone."""

import logging
from collections.abc import Callable
from uuid import UUID

from msgspec import Struct

from projections.checkpoints import Checkpoint, park, put_off
from projections.failures import Failure, delay, failure_of, told
from projections.targets import Transaction

log = logging.getLogger(__name__)


class Pace(Struct, frozen=True, kw_only=True):
    """`batch` events are read at a time. A failure is retried after `retry_base` seconds, then after twice as many,
    and so on; a poisonous event `retry_limit` times. After `turn` seconds other tenants get their turn."""

    batch: int = 1000
    retry_base: float = 2.0
    retry_limit: int = 5
    turn: float = 1.0


class Parked(Struct, frozen=True, kw_only=True):
    """A projection of one tenant stands before the event at `position` until somebody decides."""

    tenant: UUID
    projection: str
    position: int
    error: str


class Setbacks:
    """Judges failures. `is_away` tells a store's own errors that may pass from those that won't."""

    def __init__(self, pace: Pace, is_away: Callable[[BaseException], bool]) -> None:
        self._pace = pace
        self._is_away = is_away

    def failure_of(self, error: Exception) -> Failure:
        """The kind of failure. All but AWAY are for one event to answer: those before it can still be applied."""
        return failure_of(error, self._is_away)

    def note(self, transaction: Transaction, checkpoint: Checkpoint, error: Exception) -> Parked | None:
        """Stores the failure of a held checkpoint at the event behind it, and when the next try is due, if ever."""
        failure = self.failure_of(error)
        attempts = 1 + (checkpoint.attempts if checkpoint.failure is failure else 0)
        position = checkpoint.position + 1
        where = (checkpoint.projection, transaction.tenant, position, told(error))
        if failure is Failure.POISON and attempts > self._pace.retry_limit:
            log.error("projection %s of tenant %s is parked before position %s: %s", *where)
            park(transaction, checkpoint, position, told(error))
            return Parked(
                tenant=transaction.tenant, projection=checkpoint.projection, position=position, error=told(error)
            )
        seconds = delay(self._pace.retry_base, attempts)
        put_off(transaction, checkpoint, failure, attempts, seconds)
        level = logging.CRITICAL if failure is Failure.KEY else logging.WARNING
        log.log(level, "projection %s of tenant %s waits before position %s: %s; %.1f s", *where, seconds)
        return None
