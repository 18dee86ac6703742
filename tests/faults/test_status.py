"""Status: where projections stand, for a tenant and for all."""

import time

from projections.failures import Failure
from tests.faults.stand import eventually
from tests.faults.stores import TABLES

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
    assert after[FIRST].seconds > 0
    assert after[SECOND].events == before[SECOND].events
    assert tenant in projectors.monitor.tenants()
