"""Waiting for one's own writes: true when all can be read, in bounded time, without holding anything."""

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from statistics import median
from uuid import UUID

import pytest
import redis
from uuid_utils.compat import uuid7

from infrastructure.embedded.child import free_port
from infrastructure.redis import LastPositions
from projections.freshness import Freshness
from projections.ports import StoreAway
from tests.faults.clock import Clock
from tests.faults.stand import Background, eventually
from tests.faults.stores import TABLES

FIRST, SECOND, _ = TABLES


class Counting:
    """The stand's database, its reads counted, and how many there are at a time."""

    def __init__(self, database) -> None:
        self._database = database
        self.reads, self.away = 0, False

    def read(self, *arguments, **options):
        self.reads += 1
        if self.away:
            raise StoreAway("told to be away")
        return self._database.read(*arguments, **options)


class Nobody:
    """Positions that nobody has, or that are known to nobody while Redis is away."""

    def __init__(self, positions: Mapping[str, int] | None) -> None:
        self._positions = positions

    def of(self, tenant: UUID, user: UUID) -> Mapping[str, int] | None:
        return self._positions


@pytest.fixture
def database(stand):
    return Counting(stand.database)


@pytest.fixture
def freshness(stand, database):
    return Freshness(database, stand.index, Nobody({}))


def waited(freshness, tenant, names, position, timeout=30.0):
    """The answer, and the seconds that it took."""
    started = time.monotonic()
    return asyncio.run(freshness.wait(tenant, names, position, timeout)), time.monotonic() - started


def test_what_is_projected_needs_no_wait_and_after_the_first_look_no_query(stand, freshness, database, tenant):
    stand.open(tenant, 3)
    stand.drain(tenant)
    assert waited(freshness, tenant, [FIRST, SECOND], 3)[0]
    for position in (3, 2, 1, 0):
        assert waited(freshness, tenant, [FIRST], position)[0]
    assert database.reads == 1


def test_a_wait_ends_when_the_last_of_the_projections_has_passed(stand, freshness, database, tenant):
    stand.open(tenant, 3)
    stand.heard[1].whims.meanwhile = lambda: eventually(lambda: database.reads > 1)
    with Background(lambda: stand.drain(tenant)):
        fresh, seconds = waited(freshness, tenant, [FIRST, SECOND], 3)
    assert fresh
    assert seconds < 15
    assert stand.positions(tenant)[SECOND] == 3


class Projecting:
    """A database whose projections pass what is waited for `seconds` after the first look, and the waits for that. A
    look takes a while. All of it goes by a clock that no machine slows down."""

    def __init__(self, stand, tenant, clock) -> None:
        self._freshness, self._tenant, self._clock = Freshness(self, stand.index, Nobody({})), tenant, clock
        self.seconds = 0.008
        self._position, self._looks, self._passes_at = 0, 0, 0.0

    def read(self, *arguments, **options):
        now = self._clock.monotonic()
        if not self._looks:
            self._passes_at = now + self.seconds
        self._looks += 1
        passed = self._position if now >= self._passes_at else self._position - 1
        self._clock.sleep(0.005)
        row = {"projection": FIRST, "position": passed, "published": True, "parked": False, "retry_in": 0.0}
        return [row]

    def waits(self, count: int) -> tuple[float, float]:
        """The medians of the looks and of the seconds of so many waits, each for the next position."""
        looks, seconds = [], []
        for _ in range(count):
            self._position, self._looks = self._position + 1, 0
            began = self._clock.monotonic()
            assert self._clock.run(self._freshness.wait(self._tenant, [FIRST], self._position, 2))
            looks.append(self._looks)
            seconds.append(self._clock.monotonic() - began)
        return median(looks), median(seconds)


@pytest.fixture
def projecting(stand, tenant, monkeypatch):
    with closing(Clock()) as clock:
        monkeypatch.setattr("projections.freshness.time", clock)
        yield Projecting(stand, tenant, clock)


def test_after_some_waits_it_is_known_when_to_look(projecting):
    """At first it looks every few milliseconds; then it sleeps for most of what waits took of late."""
    projecting.seconds = 0.05
    first, _ = projecting.waits(3)
    projecting.waits(20)
    later, seconds = projecting.waits(9)
    assert later < first
    assert seconds < 0.09


def test_what_is_passed_soon_is_not_waited_for_longer_and_longer(projecting):
    _, first = projecting.waits(5)
    projecting.waits(34)
    _, later = projecting.waits(9)
    assert later < first + 0.005


def test_a_wait_that_took_long_does_not_lengthen_the_next(projecting):
    _, first = projecting.waits(5)
    projecting.seconds = 0.3
    projecting.waits(6)
    projecting.seconds = 0.008
    _, later = projecting.waits(5)
    assert later < first + 0.015


def test_a_wait_for_what_nobody_projects_ends_in_time(stand, freshness, tenant):
    stand.open(tenant)
    fresh, seconds = waited(freshness, tenant, [FIRST], 1, timeout=0.3)
    assert not fresh
    assert 0.25 < seconds < 15


def test_a_parked_projection_is_not_waited_for(stand, freshness, tenant):
    stand.heard[0].whims.poison = {2}
    stand.open(tenant, 3)
    eventually(lambda: stand.drain(tenant) or stand.status(tenant)[FIRST].parked_at)
    fresh, seconds = waited(freshness, tenant, [FIRST], 3)
    assert not fresh
    assert seconds < 15
    assert waited(freshness, tenant, [FIRST], 1)[0]
    assert waited(freshness, tenant, [SECOND], 3)[0]


def test_one_that_waits_longer_for_its_next_try_is_not_waited_for(stand, freshness, tenant):
    stand.index.whims.away = True
    stand.open(tenant)
    stand.drain(tenant)
    with stand.database.transaction(tenant) as transaction:
        transaction.execute(
            "UPDATE projection_checkpoints SET retry_at = now() + interval '5 minutes'"
            " WHERE tenant_id = %(tenant)s AND projection = 'search'"
        )
    fresh, seconds = waited(freshness, tenant, ["search"], 1)
    assert not fresh
    assert seconds < 15


def test_search_counts_when_it_is_findable_and_is_refreshed_only_for_who_waits(stand, freshness, tenant):
    stand.open(tenant, 2)
    stand.drain(tenant)
    assert stand.index.refreshed == 0
    assert waited(freshness, tenant, [FIRST], 2)[0]
    assert stand.index.refreshed == 0
    assert waited(freshness, tenant, ["search"], 1)[0]
    assert len(stand.index.findable[tenant]) == 2
    assert waited(freshness, tenant, ["search"], 2)[0]
    assert stand.index.refreshed == 1


def test_many_who_wait_share_looks_and_refreshes_and_hold_no_thread(stand, freshness, database, tenant):
    stand.open(tenant)
    stand.index.whims.seconds = 0.3

    async def crowd():
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
        return await asyncio.gather(*(freshness.wait(tenant, [FIRST, "search"], 1, 30) for _ in range(500)))

    with Background(lambda: stand.drain(tenant)):
        started = time.monotonic()
        assert all(asyncio.run(crowd()))
        seconds = time.monotonic() - started
    assert seconds < 20
    assert database.reads < 400
    assert stand.index.refreshed == 1


def test_those_who_come_while_the_index_refreshes_share_the_next_refresh(stand, freshness, tenant):
    stand.open(tenant, 3)
    stand.drain(tenant)
    stand.index.refreshing_takes = 0.1

    async def one_after_another():
        first = asyncio.create_task(freshness.wait(tenant, ["search"], 1, 30))
        await asyncio.to_thread(eventually, lambda: stand.index.refreshed)
        stand.open(tenant, 2)
        await asyncio.to_thread(stand.drain, tenant)
        return [await first, *await asyncio.gather(*(freshness.wait(tenant, ["search"], 5, 30) for _ in range(20)))]

    assert all(asyncio.run(one_after_another()))
    assert len(stand.index.findable[tenant]) == 5
    assert stand.index.refreshed == 2


def test_a_search_refreshes_the_index_of_what_it_looks_for_alone(stand, freshness, tenant):
    stand.open(tenant)
    stand.drain(tenant)

    def searched(*entities):
        assert asyncio.run(freshness.wait(tenant, ["search"], 1, 2, searched=entities))
        return stand.index.refreshed_entities

    assert searched("contact") == ["contact"]
    assert not stand.index.findable.get(tenant)
    assert searched("contact", "deal") == ["contact", "deal"]
    assert searched("deal") == ["contact", "deal"]
    assert len(stand.index.findable[tenant]) == 1


def test_a_refresh_that_fails_makes_the_read_stale_and_the_next_one_refreshes_again(stand, freshness, tenant):
    stand.open(tenant)
    stand.drain(tenant)
    stand.index.whims.away = True
    assert not waited(freshness, tenant, ["search"], 1)[0]
    stand.index.whims.away = False
    assert waited(freshness, tenant, ["search"], 1)[0]


def test_a_generation_that_is_not_published_yet_is_waited_for(stand, freshness, tenant):
    stand.open(tenant)
    stand.drain(tenant)
    with stand.database.transaction(tenant) as transaction:
        transaction.execute(
            "UPDATE projection_checkpoints SET published = false WHERE tenant_id = %(tenant)s AND projection = 'search'"
        )
    assert not waited(freshness, tenant, ["search"], 1, timeout=0.2)[0]
    stand.drain(tenant)
    assert waited(freshness, tenant, ["search"], 1)[0]


def test_a_store_that_is_away_makes_a_read_stale_not_an_error(stand, freshness, database, tenant):
    stand.open(tenant)
    database.away = True
    assert not waited(freshness, tenant, [FIRST], 1)[0]


def test_tenants_are_not_mixed_up(stand, freshness, tenant):
    other = uuid7()
    stand.open(tenant, 3)
    stand.open(other, 3)
    stand.drain(tenant)
    assert waited(freshness, tenant, [FIRST], 3)[0]
    assert not waited(freshness, other, [FIRST], 3, timeout=0.1)[0]


def test_the_position_that_a_user_needs_comes_from_redis(projectors, tenant):
    freshness = Freshness(projectors.stand.database, projectors.stand.index, projectors.positions)
    user = uuid7()
    projectors.wakeups.appended(tenant, f"user-{user}", 12, ["contact"])
    projectors.wakeups.appended(tenant, f"user-{user}", 15, ["deal", "account"])
    assert freshness.required(tenant, user) == 15
    assert freshness.required(tenant, user, ["contact"]) == 12
    assert freshness.required(tenant, user, ["contact", "account"]) == 15
    assert freshness.required(tenant, user, ["task"]) == 0
    assert freshness.required(tenant, uuid7()) == 0


def test_while_redis_is_away_reads_wait_for_the_end_of_the_log(stand, database, tenant):
    freshness = Freshness(database, stand.index, Nobody(None))
    assert freshness.required(tenant, uuid7()) == 0
    stand.open(tenant, 3)
    assert freshness.required(tenant, uuid7()) == 3


def test_a_redis_that_is_away_knows_no_position():
    client = redis.Redis(host="127.0.0.1", port=free_port(), socket_connect_timeout=1)
    assert LastPositions(client).of(uuid7(), uuid7()) is None
