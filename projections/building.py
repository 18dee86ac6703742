"""The rebuild of some projections of one group and one tenant."""

import logging
import time
from collections.abc import Callable, Collection
from uuid import UUID

from msgspec import structs

from projections.checkpoints import (
    Checkpoint,
    Standing,
    add,
    advance,
    give_up,
    hold,
    hold_all,
    remove,
    resolve,
    skipped,
    standing,
    switch,
)
from projections.engine import Engine
from projections.failures import Failure, delay, told
from projections.packs import Pack, Packs
from projections.ports import StoreAway
from projections.targets import Group, Transaction

log = logging.getLogger(__name__)

Progress = Callable[[UUID, str, int, int], object]
"""Told after each batch: tenant, projection, its position, the log's end."""

_LOOK_SECONDS = 0.05
"""How often a pause looks whether a stop was asked."""

_SOON = 0.02
"""Seconds after which another rebuild, which holds a checkpoint, may have let go of it."""


class RebuildFailed(Exception):
    """A projection of a tenant could not be rebuilt: its live generation goes on as it was."""


class RebuildStopped(Exception):
    """A stop was asked; the next rebuild of the same projections goes on from here."""


class Build:
    """One rebuild: begin, fill, switch, publish, tidy. Each step may be repeated, by anybody."""

    def __init__(
        self, engine: Engine, group: Group, names: Collection[str], tenant: UUID, *, by: str, progress: Progress
    ) -> None:
        self._engine = engine
        self._group = group
        self._targets = {target.name: target for target in group.targets if target.name in names}
        self._tenant = tenant
        self._by = by
        self._progress = progress
        self._packs = Packs(engine.pace.batch)
        self._away = 0
        self._failures: list[RebuildFailed] = []

    def run(self, *, afresh: bool = False) -> list[RebuildFailed]:
        """Rebuilds; what failed. Raises RebuildStopped, and StoreAway for the database itself."""
        self._tidy()
        self._begin(afresh)
        while self._fill():
            for name in list(self._targets):
                self._switch(name)
        self._publish()
        self._tidy()
        return self._failures

    def _begin(self, afresh: bool) -> None:
        now = standing(self._engine.database, self._tenant, self._targets)
        if afresh:
            for checkpoint in now.building:
                self._give_up(checkpoint)
        there = set() if afresh else {each.projection for each in now.building}
        numbers: dict[str, int] = {}
        for each in now.checkpoints:
            numbers[each.projection] = max(each.generation, numbers.get(each.projection, 0))
        new = [
            Checkpoint(projection=name, generation=number + 1, position=0, live=False)
            for name, number in numbers.items()
            if name not in there
        ]
        if new:
            with self._engine.database.transaction(self._tenant) as transaction:
                add(transaction, new)

    def _fill(self) -> bool:
        """Brings the new generations to the log's end; False when there is none any more."""
        while True:
            self._unless_stopped()
            now = standing(self._engine.database, self._tenant, self._targets)
            building = [each for each in now.building if each.projection in self._targets]
            for each in building:
                self._progress(self._tenant, each.projection, each.position, now.head)
            behind = [each for each in building if each.position < now.head]
            if not behind:
                return bool(building)
            places = {each.position for each in building} | {now.head}
            moved = [self._step(pack) for pack in self._packs.of(behind, places)]
            if self._away:
                self._pause(delay(self._engine.pace.retry_base, self._away))
            elif not any(moved):
                self._pause(_SOON)

    def _step(self, pack: Pack) -> bool:
        """Feeds a batch; False when there was nothing to get hold of."""
        with self._engine.database.transaction(self._tenant) as transaction:
            held = hold(transaction, pack.checkpoints)
            if not held:
                return False
            fed = self._engine.feeders[self._group.name].feed(transaction, held, pack.limit)
            done = [each for each in held if each.projection not in fed.failed]
            if done:
                advance(transaction, done, fed.until)
                self._away = 0
        for checkpoint in done:
            self._packs.succeeded(checkpoint)
        for checkpoint in held:
            if error := fed.failed.get(checkpoint.projection):
                self._failed(checkpoint, fed.events, error)
        return True

    def _failed(self, checkpoint: Checkpoint, events: int, error: Exception) -> None:
        """Waits, narrows, passes over an event that was skipped before, or gives the projection up."""
        failure = self._engine.setbacks.failure_of(error)
        position = checkpoint.position + 1
        if failure is Failure.AWAY:
            self._away += 1
            log.warning("the rebuild of %s for tenant %s waits: %s", checkpoint.projection, self._tenant, told(error))
        elif self._packs.failed(checkpoint, events):
            return
        elif failure is Failure.POISON and position in skipped(
            self._engine.database, self._tenant, checkpoint.projection
        ):
            with self._engine.database.transaction(self._tenant) as transaction:
                if held := hold(transaction, [checkpoint]):
                    advance(transaction, held, position)
        else:
            where = f"{checkpoint.projection} of tenant {self._tenant} before position {position}"
            self._failures.append(RebuildFailed(f"{where}: {told(error)}"))
            self._targets.pop(checkpoint.projection, None)
            if failure is Failure.POISON:
                self._give_up(checkpoint)

    def _switch(self, name: str) -> None:
        """Makes the new generation live, brought to where the old one stands; both are held meanwhile."""
        target = self._targets[name]
        with self._engine.database.transaction(self._tenant) as transaction:
            generations = hold_all(transaction, name)
            now = Standing(head=0, checkpoints=generations)
            if not now.live or not now.building:
                return
            old, new = now.live[0], self._caught_up(transaction, now.building[0], now.live[0].position)
            if new is None:
                return
            advance(transaction, [new], new.position)
            switch(transaction, old, new, published=target.published)
            resolve(transaction, name, how="rebuild", by=self._by, reason=None)
        log.info("projection %s of tenant %s: generation %s is live", name, self._tenant, new.generation)

    def _caught_up(self, transaction: Transaction, new: Checkpoint, position: int) -> Checkpoint | None:
        """The new generation at that position or behind it; None when it can't be brought there."""
        while new.position < position:
            fed = self._engine.feeders[self._group.name].feed(transaction, [new], self._engine.pace.batch)
            if fed.failed:
                return None
            new = structs.replace(new, position=fed.until)
        return new

    def _publish(self) -> None:
        """Points readers to the new generations where they don't ask the checkpoint, and sees to what wake-ups that
        came while the checkpoints were held have left to us."""
        while True:
            self._unless_stopped()
            done = self._engine.drain(self._group.name, self._tenant)
            live = standing(self._engine.database, self._tenant, self._targets).live
            if done and all(each.published or each.parked for each in live):
                return
            self._pause(_SOON)

    def _tidy(self) -> None:
        """Deletes what was replaced. What a store that is away keeps is left to the next rebuild."""
        for checkpoint in standing(self._engine.database, self._tenant, self._targets).retired:
            if self._forget(checkpoint):
                with self._engine.database.transaction(self._tenant) as transaction:
                    remove(transaction, checkpoint)

    def _give_up(self, checkpoint: Checkpoint) -> None:
        """Ends a generation that nobody will read. Its checkpoint stays until a later one is live."""
        with self._engine.database.transaction(self._tenant) as transaction:
            hold_all(transaction, checkpoint.projection)
            give_up(transaction, checkpoint)
        self._forget(checkpoint)

    def _forget(self, checkpoint: Checkpoint) -> bool:
        target = next(each for each in self._group.targets if each.name == checkpoint.projection)
        try:
            target.forget(self._tenant, checkpoint.generation)
        except StoreAway as error:
            log.warning("generation %s of %s is left over: %s", checkpoint.generation, target.name, error)
            return False
        return True

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._engine.stopped and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_SECONDS))

    def _unless_stopped(self) -> None:
        if self._engine.stopped:
            raise RebuildStopped(f"the rebuild for tenant {self._tenant} was stopped, and can go on later")
