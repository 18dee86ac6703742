"""Which checkpoints are fed together, and how much at a time."""

from collections.abc import Collection, Iterable, Sequence
from itertools import groupby

from msgspec import Struct

from projections.checkpoints import Checkpoint


class Pack(Struct, frozen=True, kw_only=True):
    """Checkpoints at one position that are fed together, `limit` events at most."""

    checkpoints: Sequence[Checkpoint]
    limit: int


class Packs:
    """The packs of one run. A projection that fails gets smaller and smaller batches, until the one event is left
    that it can't apply; those before it are applied, and its checkpoint stands right before it."""

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._limits: dict[str, int] = {}

    @property
    def narrowing(self) -> bool:
        """Whether an event is being looked for."""
        return bool(self._limits)

    def of(self, checkpoints: Iterable[Checkpoint], places: Collection[int]) -> list[Pack]:
        """The packs, the foremost first. None is fed past one of the `places`, where others stand or the log ends."""
        packs = []
        for (position, wanted, _), pack in groupby(sorted(checkpoints, key=self._key), key=self._key):
            room = min((place for place in places if place > position), default=position) - position
            packs.append(Pack(checkpoints=list(pack), limit=min(wanted, room)))
        return packs[::-1]

    def succeeded(self, checkpoint: Checkpoint) -> None:
        """Lets it have more at a time again."""
        doubled = 2 * self._limits.get(checkpoint.projection, self._batch)
        if doubled > self._batch:
            self._limits.pop(checkpoint.projection, None)
        else:
            self._limits[checkpoint.projection] = doubled

    def failed(self, checkpoint: Checkpoint, events: int) -> bool:
        """Halves what it gets; False when it was one event already."""
        if events <= 1:
            self._limits.pop(checkpoint.projection, None)
            return False
        self._limits[checkpoint.projection] = events // 2
        return True

    def _key(self, checkpoint: Checkpoint) -> tuple[int, int, str]:
        """What stands at one position is fed together, except after a failure: then an event at a time, alone."""
        if checkpoint.attempts:
            return checkpoint.position, 1, checkpoint.projection
        return checkpoint.position, self._limits.get(checkpoint.projection, self._batch), ""
