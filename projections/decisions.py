"""What a person decides about a projection that stands still: try again, or leave an event out."""

import logging
from collections.abc import Callable
from uuid import UUID

from projections.checkpoints import Checkpoint, hold_all, release, resolve
from projections.engine import Engine
from projections.targets import Transaction

log = logging.getLogger(__name__)


class UnknownProjection(Exception):
    """There is no projection of that name; the message lists those that there are."""


class NotStandingStill(Exception):
    """The projection of this tenant neither is parked nor waits for its next try: there is nothing to decide."""


class Decisions:
    """Each decision is kept in `projection_failures`: when, what, by whom, why. `wake` is told after the commit."""

    def __init__(self, engine: Engine, wake: Callable[[str, UUID], object]) -> None:
        self._engine = engine
        self._wake = wake

    def retry(self, tenant: UUID, projection: str, *, by: str, reason: str | None = None) -> None:
        """Lets a parked or waiting projection try again at once. Raises UnknownProjection, NotStandingStill."""
        group = group_of(self._engine, projection)
        with self._engine.database.transaction(tenant) as transaction:
            checkpoint = _standing_still(transaction, projection)
            release(transaction, checkpoint, checkpoint.position)
            resolve(transaction, projection, how="retry", by=by, reason=reason)
        log.warning("projection %s of tenant %s tries again, says %s", projection, tenant, by)
        self._wake(group, tenant)

    def skip(self, tenant: UUID, projection: str, *, reason: str, by: str) -> int:
        """Leaves the event that a projection is parked before out of it, for good; the event's position.

        Raises UnknownProjection, NotStandingStill; what waits goes on by itself and can't be skipped.
        """
        group = group_of(self._engine, projection)
        with self._engine.database.transaction(tenant) as transaction:
            checkpoint = _standing_still(transaction, projection)
            if not checkpoint.parked:
                raise NotStandingStill(f"{projection} of tenant {tenant} is not parked, it goes on by itself")
            release(transaction, checkpoint, checkpoint.position + 1)
            resolve(transaction, projection, how="skip", by=by, reason=reason)
        log.warning(
            "projection %s of tenant %s skips event %s, says %s", projection, tenant, checkpoint.position + 1, by
        )
        self._wake(group, tenant)
        return checkpoint.position + 1


def group_of(engine: Engine, projection: str) -> str:
    """The name of the group that a projection belongs to. Raises UnknownProjection."""
    for group in engine.groups.values():
        if projection in group.names:
            return group.name
    known = ", ".join(name for group in engine.groups.values() for name in group.names)
    raise UnknownProjection(f"there is no projection '{projection}', but {known}")


def _standing_still(transaction: Transaction, projection: str) -> Checkpoint:
    live = next((each for each in hold_all(transaction, projection) if each.live), None)
    if live is None or not (live.parked or live.attempts):
        raise NotStandingStill(f"{projection} of tenant {transaction.tenant} is neither parked nor waiting")
    return live
