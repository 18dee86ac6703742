"""The engine: brings the projections of a group and a tenant to the end of the log, whatever happens on the way."""

import threading
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from uuid import UUID

from msgspec import Struct

from application.ports import EventStore
from projections.checkpoints import Checkpoint, Standing, add, advance, hold, standing
from projections.feeding import Fed, Feeder
from projections.setbacks import Pace, Parked, Setbacks
from projections.targets import Group, Transaction, Transactions


class Engine:
    """Drains groups of projections.

    `database` must be a pool of the engine's own: it holds a connection while the store and the targets take theirs
    from another. `is_away` tells a store's own errors that may pass from those that won't. `on_parked` is told after
    the commit, and may not raise.
    """

    def __init__(
        self,
        database: Transactions,
        store: EventStore,
        groups: Sequence[Group],
        *,
        is_away: Callable[[BaseException], bool],
        on_parked: Callable[[Parked], object] = bool,
        pace: Pace = Pace(),  # noqa: B008
    ) -> None:
        self.database = database
        self.groups = {group.name: group for group in groups}
        self.feeders = {group.name: Feeder(store, group) for group in groups}
        self.setbacks = Setbacks(pace, is_away)
        self.on_parked = on_parked
        self.pace = pace
        self.stopping = threading.Event()

    def drain(self, group: str, tenant: UUID) -> bool:
        """Projects what the log holds for a group. False when it ended early: its turn is over, or a stop was asked.

        What another holds is left to it: it looks again after it has let go, so nothing is missed. Raises StoreAway
        when the database itself can't be reached.
        """
        if not self.groups[group].targets:
            return True
        return _Drain(self, self.groups[group], tenant).run()

    def stop(self) -> None:
        """Ends drains and rebuilds after the batch that they are at."""
        self.stopping.set()


class _Pack(Struct, frozen=True, kw_only=True):
    """Checkpoints at one position that are fed together."""

    checkpoints: Sequence[Checkpoint]
    limit: int


class _Drain:
    """One run. `limits` narrows the batch of a projection that failed, until a single event is left to blame."""

    def __init__(self, engine: Engine, group: Group, tenant: UUID) -> None:
        self._engine = engine
        self._group = group
        self._tenant = tenant
        self._limits: dict[str, int] = {}

    def run(self) -> bool:
        end = time.monotonic() + self._engine.pace.turn
        while not self._engine.stopping.is_set() and (self._limits or time.monotonic() < end):
            # This look comes after the last lock was given back: whoever found it held has left its events to us.
            now = standing(self._engine.database, self._tenant, self._group.names)
            if missing := self._missing(now):
                with self._engine.database.transaction(self._tenant) as transaction:
                    add(transaction, missing)
                continue
            moved = [self._step(pack) for pack in self._packs(now)]
            if not any(moved):
                return True
        return False

    def _missing(self, now: Standing) -> list[Checkpoint]:
        there = {each.projection for each in now.live}
        return [
            Checkpoint(projection=target.name, generation=1, position=0, live=True, published=target.published)
            for target in self._group.targets
            if target.name not in there and now.head > 0
        ]

    def _packs(self, now: Standing) -> list[_Pack]:
        """What is to be done, the foremost first; one that lags is fed no further than to where the next stands."""
        behind = [each for each in now.live if each.due and (each.position < now.head or not each.published)]
        places = sorted({each.position for each in now.live if not each.parked} | {now.head})
        packs = []
        for (position, wanted, _), pack in groupby(sorted(behind, key=self._key), key=self._key):
            room = next((place for place in places if place > position), position) - position
            packs.append(_Pack(checkpoints=list(pack), limit=min(wanted, room)))
        return packs[::-1]

    def _key(self, checkpoint: Checkpoint) -> tuple[int, int, str]:
        """What stands at one position is fed together, except after a failure."""
        wanted = 1 if checkpoint.attempts else self._limits.get(checkpoint.projection, self._engine.pace.batch)
        return checkpoint.position, wanted, checkpoint.projection if checkpoint.attempts else ""

    def _step(self, pack: _Pack) -> bool:
        """Feeds a batch; False when there was nothing to get hold of."""
        with self._engine.database.transaction(self._tenant) as transaction:
            held = hold(transaction, pack.checkpoints)
            if not held:
                return False
            fed = self._engine.feeders[self._group.name].feed(transaction, held, pack.limit)
            done = [each for each in held if each.projection not in fed.failed]
            if done:
                advance(transaction, done, fed.until)
            failed = [each for each in held if each.projection in fed.failed]
            parked = [self._failed(transaction, each, fed) for each in failed]
        for checkpoint in done:
            self._widen(checkpoint.projection)
        for each in parked:
            if each is not None:
                self._engine.on_parked(each)
        return True

    def _widen(self, projection: str) -> None:
        if self._limits.get(projection, self._engine.pace.batch) * 2 > self._engine.pace.batch:
            self._limits.pop(projection, None)
        else:
            self._limits[projection] *= 2

    def _failed(self, transaction: Transaction, checkpoint: Checkpoint, fed: Fed) -> Parked | None:
        """Narrows the next batch, or lets the one event that is left answer for it."""
        error = fed.failed[checkpoint.projection]
        if fed.events > 1 and self._engine.setbacks.of_one_event(error):
            self._limits[checkpoint.projection] = fed.events // 2
            return None
        self._limits.pop(checkpoint.projection, None)
        return self._engine.setbacks.note(transaction, checkpoint, error)
