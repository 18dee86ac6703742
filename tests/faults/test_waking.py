"""Wake-ups: merged while they wait, never lost for good, whatever happens to Redis."""

import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from infrastructure.embedded import EmbeddedRedis
from infrastructure.queue_health import MOST_WAITING
from infrastructure.wakeups import WakeUps
from tests.faults.projectors import Projectors
from tests.faults.stand import GROUPS, eventually
from tests.faults.stores import TABLES


@pytest.fixture
def own_redis():
    """A Redis of one test alone, to be stopped and started again on its port."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        with EmbeddedRedis(Path(name) / "redis", appendonly=False) as server:
            yield server


def test_wake_ups_are_merged_into_one_message_per_group_and_tenant(projectors):
    one, other = uuid7(), uuid7()
    for tenant in (one, other) * 20:
        projectors.wakeups.appended(tenant, "cli", 1, ["deal"])
    assert projectors.queue.health().queues[0].waiting == 2 * len(GROUPS)


def test_a_wake_up_is_projected_by_a_worker(projectors, tenant):
    projectors.open(tenant, 5)
    with projectors.working():
        eventually(lambda: projectors.is_done(tenant))
    assert (projectors.queue.health().queues[0].waiting, projectors.queue.health().queues[0].in_progress) == (0, 0)


def test_a_wake_up_after_the_reading_has_begun_is_a_message_of_its_own(projectors, tenant):
    projectors.open(tenant)
    for group in GROUPS:
        projectors.wakeups.seen(group, tenant)
    projectors.open(tenant)
    assert projectors.queue.health().queues[0].waiting == 2 * len(GROUPS)


def test_a_wake_up_during_the_last_read_is_projected_at_once_with_the_sweeper_off(projectors, tenant):
    """It is taken by another thread, which leaves it to the one that is at work; that must see to it."""
    stand, arrived = projectors.stand, []

    def append_once():
        if not arrived:
            arrived.append(time.monotonic())
            projectors.open(tenant)
            time.sleep(0.06)  # long enough for the other thread to come and go

    seconds = []
    with projectors.working():
        for number in range(10):
            arrived.clear()
            stand.heard[2].whims.meanwhile = append_once
            projectors.open(tenant)
            head = 2 * number + 2
            eventually(lambda: stand.positions(tenant)[TABLES[2]] == head)  # noqa: B023
            seconds.append(time.monotonic() - arrived[0] - 0.06)
    assert min(seconds) < 0.5
    assert len(stand.rows(tenant)) == 20


def test_an_idle_system_projects_at_once(projectors, tenant):
    """A wake-up adds next to nothing to what this machine needs for the work itself."""
    stand, unheard = projectors.stand, uuid7()

    def seconds(tenant, open_deal):
        started = time.monotonic()
        open_deal()
        eventually(lambda: projectors.is_done(tenant))
        return time.monotonic() - started

    with projectors.working():
        seconds(tenant, lambda: projectors.open(tenant))
        pairs = []
        for _ in range(10):
            itself = seconds(unheard, lambda: stand.open(unheard) and stand.drain(unheard))
            time.sleep(0.5)  # long enough for a worker to look more and more seldom
            pairs.append((itself, seconds(tenant, lambda: projectors.open(tenant))))
    itself, woken = (median(each) for each in zip(*pairs, strict=True))
    assert woken < itself + 0.2


def test_the_sweeper_makes_good_for_a_redis_that_has_forgotten_everything(projectors):
    tenants = [uuid7() for _ in range(3)]
    for tenant in tenants:
        projectors.open(tenant, 5)
    projectors.forget()
    with projectors.working():
        time.sleep(0.2)
        assert not any(projectors.is_done(tenant) for tenant in tenants)
        assert projectors.sweep(*tenants) == 9
        eventually(lambda: projectors.is_done(*tenants))
    assert projectors.sweep(*tenants) == 0


def test_an_idle_worker_looks_for_messages_and_seldom_for_delayed_ones(projectors):
    looks = Counter()
    with projectors.working(threads=1, wake_ms=500) as worker:
        fetch = worker.broker.do_fetch

        def counted(queue, *arguments):
            looks[queue] += 1
            return fetch(queue, *arguments)

        worker.broker.do_fetch = counted
        time.sleep(2)
    assert looks["projections"] > 10
    assert looks["projections.DQ"] < 12


def test_a_wake_up_that_waits_for_its_turn_stands_for_later_appends(projectors, tenant):
    """The flag that merges wake-ups goes with the turn that reads, and not with the message that was left to it."""
    stand, flags = projectors.stand, []
    flag = f"{projectors.prefix}:wake:relational:{tenant}"

    def append_twice():
        if not flags:
            for _ in range(2):
                projectors.open(tenant)
                eventually(lambda: projectors.queue.health().queues[0].waiting == 0)
                time.sleep(0.1)
                flags.append(projectors.redis.exists(flag))

    with projectors.working():
        stand.heard[2].whims.meanwhile = append_twice
        projectors.open(tenant)
        eventually(lambda: len(stand.rows(tenant)) == 3)
        eventually(lambda: not projectors.redis.exists(flag))
    assert flags == [1, 1]


def test_the_sweeper_makes_good_for_a_lost_message_whose_flag_is_still_there(projectors, tenant):
    projectors.open(tenant)
    projectors.redis.delete(f"{projectors.prefix}:projections", f"{projectors.prefix}:projections.msgs")
    projectors.open(tenant)
    assert projectors.queue.health().queues[0].waiting == 0
    projectors.sweep(tenant)
    assert projectors.queue.health().queues[0].waiting == len(GROUPS)
    with projectors.working():
        eventually(lambda: projectors.is_done(tenant))


def test_the_sweeper_wakes_what_waits_only_when_it_is_due_and_never_what_is_parked(projectors, tenant):
    stand = projectors.stand
    stand.open(tenant)
    stand.index.whims.away = True
    stand.heard[0].whims.poison = {1}
    eventually(lambda: stand.drain(tenant) or stand.status(tenant)[TABLES[0]].parked_at)
    with stand.database.transaction(tenant) as transaction:
        transaction.execute(
            "UPDATE projection_checkpoints SET retry_at = now() + interval '0.3 seconds'"
            " WHERE tenant_id = %(tenant)s AND projection = 'search'"
        )
    assert [pair for pair in projectors.monitor.due() if pair[1] == tenant] == []
    eventually(lambda: ("search", tenant) in projectors.monitor.due())
    assert [pair for pair in projectors.monitor.due() if pair[1] == tenant] == [("search", tenant)]


def test_the_sweeper_does_not_flood_a_queue_that_nobody_empties(projectors, tenant):
    projectors.stand.open(tenant)
    for _ in range(MOST_WAITING // 3 + 5):
        projectors.sweep(tenant)
    assert projectors.queue.health().queues[0].waiting == MOST_WAITING


def test_a_store_that_is_back_is_caught_up_with_by_the_sweeper(projectors, tenant):
    stand = projectors.stand
    stand.index.whims.away = True
    with projectors.working():
        projectors.open(tenant, 5)
        eventually(lambda: stand.status(tenant)["search"].attempts == 1)
        stand.index.whims.away = False
        eventually(lambda: projectors.sweep(tenant) is not None and projectors.is_done(tenant))
    assert projectors.queue.health().dead == 0


@pytest.mark.parametrize("hanging", [("search",), ("search", "audit")])
def test_stores_that_hang_hold_up_nobody_else(projectors, tenant, hanging):
    """More tenants than threads have something for the stores that hang, and come first."""
    stand, others = projectors.stand, [uuid7() for _ in range(8)]
    stores = {"search": stand.index, "audit": stand.trail}
    for name in hanging:
        stores[name].whims.seconds = 3.0
    with projectors.working(threads=4):
        for other in others:
            stand.open(other)
        projectors.wakeups.wake([(group, other) for group in hanging for other in others])
        eventually(lambda: all(stores[name].whims.calls for name in hanging))
        time.sleep(0.1)
        projectors.open(tenant)
        started = time.monotonic()
        eventually(lambda: stand.positions(tenant)[TABLES[2]] == 1)
        assert time.monotonic() - started < 2
        for name in hanging:
            stores[name].whims.seconds = 0
        everyone = (*others, tenant)
        eventually(lambda: all(stand.positions(each)[name] == 1 for each in everyone for name in hanging), within=30)


def test_appending_goes_on_without_redis_and_the_sweeper_projects_by_itself(stand, urls, own_redis, tenant):
    projectors = Projectors(stand, own_redis.url(), urls.monitor)
    projectors.open(tenant)
    own_redis.stop()
    started = time.monotonic()
    for _ in range(20):
        projectors.open(tenant)
    assert time.monotonic() - started < 3
    assert projectors.positions.of(tenant, UUID(int=1)) is None
    projectors.sweep(tenant)
    assert projectors.is_done(tenant)
    projectors.close()


def test_a_worker_survives_a_redis_that_was_away_and_lost_everything(stand, urls, own_redis, tenant):
    projectors = Projectors(stand, own_redis.url(), urls.monitor)
    with projectors.working() as worker:
        projectors.open(tenant)
        eventually(lambda: projectors.is_done(tenant))
        own_redis.stop()
        projectors.open(tenant)
        with EmbeddedRedis(own_redis._given_directory, own_redis.port, appendonly=False):
            eventually(lambda: projectors.sweep(tenant) == 0 and projectors.is_done(tenant), within=20)
            time.sleep(1)  # appends have stopped trying for that long
            projectors.open(tenant)
            eventually(lambda: projectors.is_done(tenant))
            assert all(thread.is_alive() for thread in (*worker.consumers.values(), *worker.workers))
    projectors.close()


def test_a_users_last_position_is_the_highest_and_kept_per_tenant(projectors):
    tenant, other, user = uuid7(), uuid7(), uuid7()
    for position in (3, 7, 5):
        projectors.wakeups.appended(tenant, f"user-{user}", position, ["deal"])
    projectors.wakeups.appended(other, f"user-{user}", 2, ["deal"])
    projectors.wakeups.appended(tenant, "import", 9, ["deal"])
    assert projectors.positions.of(tenant, user) == {"deal": 7}
    assert projectors.positions.of(other, user) == {"deal": 2}
    assert projectors.positions.of(tenant, uuid7()) == {}


def test_announcing_takes_one_round_trip(projectors, tenant):
    def calls():
        return sum(each["calls"] for name, each in projectors.redis.info("commandstats").items() if "eval" in name)

    projectors.wakeups.appended(tenant, "cli", 1, ["deal"])
    before = calls()
    projectors.wakeups.appended(uuid7(), f"user-{uuid7()}", 1, ["deal"])
    assert calls() - before == 1
    assert projectors.queue.health().queues[0].waiting == 2 * len(GROUPS)


def test_wake_ups_of_no_group_say_nothing(projectors, tenant):
    WakeUps(projectors.redis, prefix=projectors.prefix, groups=()).appended(tenant, "cli", 1, ["deal"])
    assert projectors.queue.health().queues[0].waiting == 0
