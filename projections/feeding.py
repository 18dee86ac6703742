"""One step of any projecting: read a batch of the log once, and feed it to all that stand at its beginning."""

from collections.abc import Mapping, Sequence
from typing import Any, Self
from uuid import UUID

from msgspec import Struct

from application.ports import EventStore
from application.recording import Metadata
from projections.changes import Batch, folded
from projections.checkpoints import Checkpoint
from projections.targets import GenerationRows, Group, Statements, Target, Transaction


class Fed(Struct, frozen=True, kw_only=True):
    """What came of a batch: its end, how many events it had, their circumstances as far as they could be read, and
    whose checkpoint may not move, for which error."""

    until: int
    events: int
    failed: Mapping[str, Exception]
    metadata: Sequence[Metadata] = ()


class Feeder:
    """Feeds the projections of one group."""

    def __init__(self, store: EventStore, group: Group) -> None:
        self._store = store
        self._group = group
        self._targets: Mapping[str, Target] = {target.name: target for target in group.targets}

    def feed(self, transaction: Transaction, held: Sequence[Checkpoint], limit: int) -> Fed:
        """Feeds the next `limit` events to checkpoints that stand at one position. Their rows are written, the
        checkpoints are not moved. An error in reading or folding is an error of each of them."""
        after = held[0].position
        try:
            batch = self._read(transaction.tenant, after, limit)
        except Exception as error:
            return Fed(until=after, events=limit, failed=dict.fromkeys((each.projection for each in held), error))
        failed = {}
        for checkpoint in held:
            try:
                with _Savepoint(transaction) as savepoint:
                    self._apply(savepoint, checkpoint, batch)
            except Exception as error:
                failed[checkpoint.projection] = error
        metadata = [each.recorded.metadata for each in batch.changes]
        return Fed(until=batch.until, events=len(metadata), failed=failed, metadata=metadata)

    def _apply(self, transaction: Statements, checkpoint: Checkpoint, batch: Batch) -> None:
        target = self._targets[checkpoint.projection]
        if batch.changes:
            target.apply(GenerationRows(transaction, checkpoint.generation), batch)
        if checkpoint.live and not checkpoint.published:
            target.publish(transaction.tenant, checkpoint.generation)

    def _read(self, tenant: UUID, after: int, limit: int) -> Batch:
        sealed = self._group.sealed
        events = self._store.log(tenant, after=after, limit=limit, sealed=sealed)
        return folded(
            tenant,
            after,
            events,
            lambda streams, until: self._store.streams(tenant, streams, until=until, sealed=sealed),
        )


class _Savepoint:
    """A transaction as one projection sees it: what it wrote, and nothing else, is undone when it fails.

    It begins with the first statement: most batches have nothing for most projections.
    """

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.tenant = transaction.tenant
        self._begun = False

    def __enter__(self) -> Self:
        return self

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Runs one statement."""
        if not self._begun:
            self._transaction.later("SAVEPOINT projecting")
            self._begun = True
        return self._transaction.execute(sql, parameters)

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        if self._begun:
            self._transaction.later(f"{'RELEASE' if failure is None else 'ROLLBACK TO'} SAVEPOINT projecting")
