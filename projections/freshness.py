"""Waiting for one's own writes: until the projections that a query reads have passed a position of the log.

A wait holds neither a connection nor a thread: it looks for a moment, and sleeps, at first for most of what waits took
of late, since each look costs a query. What was once seen is remembered, so that a reader who is up to date costs none.
"""

import asyncio
import time
from collections.abc import Collection, Mapping
from typing import Any, Protocol
from uuid import UUID

from projections.ports import Database, SearchIndex, StoreAway
from projections.search import SEARCHED

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.005, 0.025
_LONGEST_USUAL = 0.06
_KEPT = 100_000

_LIVE = """
SELECT projection, position, published, parked_at IS NOT NULL AS parked,
       coalesce(extract(epoch FROM retry_at - statement_timestamp()), 0)::float AS retry_in
FROM projection_checkpoints WHERE tenant_id = %(tenant)s AND live
"""

_HEAD = "SELECT position FROM tenant_heads WHERE tenant_id = %(tenant)s"


class Positions(Protocol):
    """The users' last positions."""

    def of(self, tenant: UUID, user: UUID) -> Mapping[str, int] | None:
        """The position of the user's last append by entity, as far as it was of late; None when nobody knows."""


class Freshness:
    """What this process knows of how far each tenant's projections are."""

    def __init__(self, database: Database, index: SearchIndex, positions: Positions) -> None:
        self._database = database
        self._index = index
        self._positions = positions
        self._passed: dict[tuple[UUID, str], int] = {}
        self._findable: dict[tuple[UUID, str], int] = {}
        self._looks: dict[UUID, asyncio.Task[dict[str, dict[str, Any]]]] = {}
        self._sought: dict[tuple[UUID, str], int] = {}
        self._refresh: asyncio.Task[None] | None = None
        self._usual = 0.0
        """How many seconds it was of late until a position was passed, on average."""

    def required(self, tenant: UUID, user: UUID, entities: Collection[str] | None = None) -> int:
        """The position that this user's reads, of these entities or of all, must have passed: when nobody knows theirs,
        the end of the log.

        It blocks: ask in a thread.
        """
        positions = self._positions.of(tenant, user)
        if positions is None:
            heads = self._database.read(tenant, _HEAD, one_plan=True)
            return int(heads[0]["position"]) if heads else 0
        return max((at for entity, at in positions.items() if entities is None or entity in entities), default=0)

    async def wait(
        self,
        tenant: UUID,
        projections: Collection[str],
        position: int,
        timeout: float,  # noqa: ASYNC109
        *,
        searched: Collection[str] = SEARCHED,
    ) -> bool:
        """Whether all the projections have passed the position, within `timeout` seconds; search counts when it
        finds what was written of the entities that are `searched`. False early for a projection that is parked, or
        waits longer for its next try."""
        if position <= 0:
            return True
        try:
            async with asyncio.timeout(timeout):
                return await self._reached(tenant, projections, position, time.monotonic() + timeout) and (
                    "search" not in projections or await self._found(tenant, searched, position)
                )
        except (TimeoutError, StoreAway):
            return False

    async def _reached(self, tenant: UUID, projections: Collection[str], position: int, deadline: float) -> bool:
        begin = time.monotonic()
        pause, asleep, awake = self._usual * 3 / 4, 0.0, 0.0
        while behind := [each for each in projections if self._passed.get((tenant, each), 0) < position]:
            rows = await self._look(tenant)
            behind = [each for each in behind if self._passed.get((tenant, each), 0) < position]
            if any(_hopeless(rows.get(each), deadline) for each in behind):
                return False
            if behind:
                asleep = time.monotonic()
                await asyncio.sleep(max(pause, _SHORTEST_PAUSE))
                awake = time.monotonic()
                # From then on a fraction of what was waited already: what is looked for is seen soon.
                pause = min((awake - begin) / 5, _LONGEST_PAUSE)
        if awake:
            self._learn((asleep + awake) / 2 - begin)
        return True

    def _learn(self, seconds: float) -> None:
        """Takes up what a wait would have taken, had it been known: it was over some time while it slept. What took
        unusually long says nothing about the next."""
        if seconds < _LONGEST_USUAL:
            self._usual += (seconds - self._usual) / 8

    async def _look(self, tenant: UUID) -> dict[str, dict[str, Any]]:
        """Where the tenant's projections stand; those who ask at once share one query."""
        look = self._looks.get(tenant)
        if look is None:
            look = asyncio.create_task(asyncio.to_thread(self._read, tenant))
            self._looks[tenant] = look
            look.add_done_callback(lambda done: self._looked(tenant, done))
        return await asyncio.shield(look)

    def _looked(self, tenant: UUID, look: asyncio.Task[dict[str, dict[str, Any]]]) -> None:
        del self._looks[tenant]
        _ended(look)

    def _read(self, tenant: UUID) -> dict[str, dict[str, Any]]:
        rows = self._database.read(tenant, _LIVE, one_plan=True)
        if len(self._passed) > _KEPT:
            self._passed.clear()
            self._findable.clear()
        for row in rows:
            if row["published"]:
                self._passed[tenant, row["projection"]] = row["position"]
        return {row["projection"]: row for row in rows}

    async def _found(self, tenant: UUID, entities: Collection[str], position: int) -> bool:
        """Makes what search has acknowledged findable. One refresh at a time, for all who waited when it began: it
        costs the index as much as several searches."""
        while missing := [each for each in entities if self._findable.get((tenant, each), 0) < position]:
            acknowledged = max(position, self._passed.get((tenant, "search"), 0))
            self._sought.update({(tenant, each): acknowledged for each in missing})
            if self._refresh is None:
                self._refresh = asyncio.create_task(self._make_findable(self._sought))
                self._refresh.add_done_callback(_ended)
                self._sought = {}
            await asyncio.shield(self._refresh)
        return True

    async def _make_findable(self, acknowledged: Mapping[tuple[UUID, str], int]) -> None:
        try:
            await asyncio.to_thread(self._index.refresh, {entity for _, entity in acknowledged})
            self._findable.update(acknowledged)
        finally:
            self._refresh = None  # before anybody could wait for one that is over


def _ended(task: asyncio.Task[Any]) -> None:
    """Takes note of how a task ended: it may be that nobody waits for it any more."""
    if not task.cancelled():
        task.exception()


def _hopeless(row: dict[str, Any] | None, deadline: float) -> bool:
    return row is not None and (row["parked"] or time.monotonic() + row["retry_in"] > deadline)
