"""Status: where projections stand, for a tenant and for all."""

import time
from contextlib import closing

from uuid_utils.compat import uuid7

from infrastructure.monitor import Monitor
from projections.failures import Failure
from tests.faults.stand import Stand, eventually
from tests.faults.stores import TABLES, make_tables

FIRST, SECOND, _ = TABLES


def test_status_says_position_lag_generation_and_what_is_wrong(stand, tenant):
    stand.open(tenant, 4)
    stand.heard[0].whims.poison = {2}
    stand.index.whims.away = True
    eventually(lambda: stand.drain(tenant) or stand.status(tenant)[FIRST].parked_at)
    stand.open(tenant)
    time.sleep(0.1)
    status = stand.status(tenant)
    assert list(status) == [*TABLES, "search", "audit"]
    first, second, search = status[FIRST], status[SECOND], status["search"]
    assert (first.position, first.head, first.lag_events, first.generation) == (1, 5, 4, 1)
    assert first.lag_seconds > 0.1
    assert first.error is not None
    assert first.error.startswith("ValueError at ")
    assert (second.lag_events, second.group) == (1, "relational")
    assert 0.1 <= second.lag_seconds < 5
    assert (search.failure, search.lag_events, search.group) == (Failure.AWAY, 5, "search")
    assert search.retry_at is not None
    stand.drain(tenant, "relational")
    assert (stand.status(tenant)[SECOND].lag_events, stand.status(tenant)[SECOND].lag_seconds) == (0, 0)


def test_status_of_a_tenant_that_was_never_projected_is_behind_from_the_start(stand, tenant):
    stand.open(tenant, 3)
    status = stand.status(tenant)
    assert {each.lag_events for each in status.values()} == {3}
    assert all(each.lag_seconds > 0 for each in status.values())


def test_the_monitor_sees_lags_of_all_tenants_and_nothing_else(projectors, tenant):
    stand = projectors.stand
    before = {lag.projection: lag for lag in projectors.monitor.lags()}
    stand.open(tenant, 4)
    stand.heard[0].whims.poison = {2}
    eventually(lambda: stand.drain(tenant) or stand.status(tenant)[FIRST].parked_at)
    after = {lag.projection: lag for lag in projectors.monitor.lags()}
    assert list(after) == [*TABLES, "search", "audit"]
    assert after[FIRST].events - before[FIRST].events == 3
    assert after[FIRST].parked - before[FIRST].parked == 1
    assert after[SECOND].events == before[SECOND].events
    assert tenant in projectors.monitor.tenants()


def test_who_goes_on_writing_does_not_hide_how_long_a_projection_lags(copied_urls):
    make_tables(copied_urls.owner)
    tenant = uuid7()
    with (
        closing(Stand(copied_urls.app)) as stand,
        closing(Monitor.open(copied_urls.monitor, stand.engine.groups.values())) as monitor,
    ):
        stand.open(tenant)
        time.sleep(0.2)
        stand.open(tenant)
        began = time.monotonic()
        [told] = [lag.seconds for lag in monitor.lags() if lag.projection == FIRST]
        later = stand.status(tenant)[FIRST].lag_seconds
        assert 0.2 < told <= later <= told + time.monotonic() - began
        stand.drain(tenant, "relational")
        assert [lag.seconds for lag in monitor.lags() if lag.projection == FIRST] == [0]


def test_what_is_parked_does_not_hide_how_long_another_tenant_lags(copied_urls):
    make_tables(copied_urls.owner)
    parked, behind = uuid7(), uuid7()
    with (
        closing(Stand(copied_urls.app)) as stand,
        closing(Monitor.open(copied_urls.monitor, stand.engine.groups.values())) as monitor,
    ):

        def longest() -> float:
            return next(lag.seconds for lag in monitor.lags() if lag.projection == FIRST)

        def is_parked() -> bool:
            stand.drain(parked)
            return stand.status(parked)[FIRST].parked_at is not None

        stand.open(parked, 4)
        stand.heard[0].whims.poison = {2}
        assert longest() > 0
        eventually(is_parked)
        assert longest() == 0
        stand.open(behind)
        assert 0 < longest() < stand.status(parked)[FIRST].lag_seconds
