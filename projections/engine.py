"""The engine: brings the projections of a group and a tenant to the end of the log, whatever happens on the way."""

import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from application.ports import EventStore
from application.recording import Metadata
from projections.checkpoints import Checkpoint, Standing, add, advance, hold, standing
from projections.failures import Failure
from projections.feeding import Fed, Feeder
from projections.packs import Pack, Packs
from projections.setbacks import Pace, Parked, Setbacks
from projections.targets import Group, Transaction, Transactions

MOST_IDS = 20
"""How many ids of a kind the line of a batch tells."""


class Projected(Struct, frozen=True, kw_only=True):
    """What came of a batch: the positions behind `after` up to `until` were fed to a group, the circumstances of
    their events, and whose projections could not take them."""

    tenant: UUID
    group: str
    after: int
    until: int
    events: int
    seconds: float
    failed: tuple[str, ...] = ()
    metadata: Sequence[Metadata] = ()

    def told(self) -> dict[str, Any]:
        """As the log of a process tells it: with the ids behind its events, MOST_IDS of each kind at most, and `more`
        of how many it leaves out."""
        figures = {"tenant": str(self.tenant), "group": self.group, "after": self.after, "until": self.until}
        causes = self._causes()
        ids = {kind: [str(id) for id in found[:MOST_IDS]] for kind, found in causes.items() if found}
        more = {kind: len(found) - MOST_IDS for kind, found in causes.items() if len(found) > MOST_IDS}
        others = {"failed": self.failed, **ids, "more": more}
        told = {name: value for name, value in others.items() if value}
        return {**figures, "ms": round(self.seconds * 1000, 2), **told}

    def _causes(self) -> dict[str, list[Any]]:
        """The requests, correlations and actors behind its events: each once, in the order of the log."""
        return {
            "requests": list(dict.fromkeys(each.request for each in self.metadata if each.request is not None)),
            "correlations": list(dict.fromkeys(each.correlation for each in self.metadata)),
            "actors": list(dict.fromkeys(each.actor for each in self.metadata)),
        }


class Engine:
    """Drains groups of projections.

    `database` must be a pool of the engine's own: it holds a connection while the store and the targets take theirs
    from another. `is_away` tells a store's own errors that may pass from those that won't. `on_parked` is told after
    the commit, and may not raise; nor may `on_fed`, which is told of each batch.
    """

    def __init__(
        self,
        database: Transactions,
        store: EventStore,
        groups: Sequence[Group],
        *,
        is_away: Callable[[BaseException], bool],
        on_parked: Callable[[Parked], object] = bool,
        on_fed: Callable[[Projected], object] = bool,
        pace: Pace = Pace(),  # noqa: B008
    ) -> None:
        self.database = database
        self.groups = {group.name: group for group in groups}
        self.feeders = {group.name: Feeder(store, group) for group in groups}
        self.setbacks = Setbacks(pace, is_away)
        self.on_parked = on_parked
        self.on_fed = on_fed
        self.pace = pace
        self.stopped = False

    def drain(self, group: str, tenant: UUID) -> bool:
        """Projects what the log holds for a group. False when it ended early: its turn is over, or a stop was asked.

        What another holds is left to it: it looks again after it has let go, so nothing is missed. Raises StoreAway
        when the database itself can't be reached.
        """
        if not self.groups[group].targets:
            return True
        return _Drain(self, self.groups[group], tenant).run()

    def stop(self) -> None:
        """Ends drains and rebuilds after the batch that they are at. No lock is taken: signals come at any moment."""
        self.stopped = True


class _Drain:
    """One run over the live checkpoints of a group and tenant."""

    def __init__(self, engine: Engine, group: Group, tenant: UUID) -> None:
        self._engine = engine
        self._group = group
        self._tenant = tenant
        self._packs = Packs(engine.pace.batch)

    def run(self) -> bool:
        end = time.monotonic() + self._engine.pace.turn
        while not self._engine.stopped and (self._packs.narrowing or time.monotonic() < end):
            # This look comes after the last lock was given back: whoever found it held has left its events to us.
            now = standing(self._engine.database, self._tenant, self._group.names)
            if missing := self._missing(now):
                with self._engine.database.transaction(self._tenant) as transaction:
                    add(transaction, missing)
                continue
            behind = [each for each in now.live if each.due and (each.position < now.head or not each.published)]
            places = {each.position for each in now.live if not each.parked} | {now.head}
            moved = [self._step(pack) for pack in self._packs.of(behind, places)]
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

    def _step(self, pack: Pack) -> bool:
        """Feeds a batch; False when there was nothing to get hold of."""
        started = time.perf_counter()
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
        self._engine.on_fed(
            Projected(
                tenant=self._tenant,
                group=self._group.name,
                after=held[0].position,
                until=fed.until,
                events=0 if not done else fed.events,
                seconds=time.perf_counter() - started,
                failed=tuple(fed.failed),
                metadata=fed.metadata,
            )
        )
        for checkpoint in done:
            self._packs.succeeded(checkpoint)
        for each in parked:
            if each is not None:
                self._engine.on_parked(each)
        return True

    def _failed(self, transaction: Transaction, checkpoint: Checkpoint, fed: Fed) -> Parked | None:
        """Narrows the next batch, or lets the one event that is left answer for it."""
        error = fed.failed[checkpoint.projection]
        setbacks = self._engine.setbacks
        if setbacks.failure_of(error) is not Failure.AWAY and self._packs.failed(checkpoint, fed.events):
            return None
        return setbacks.note(transaction, checkpoint, error)
