"""Lanes: one thread for a tenant's group at a time, and whoever comes meanwhile has it work once more."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from uuid_utils.compat import uuid7

from infrastructure.lanes import Lanes
from infrastructure.log_context import about, present

SECONDS = 5.0


class Work:
    """Work that goes on until it is let go, a turn at a time."""

    def __init__(self) -> None:
        self.turns = []
        self.begun, self.go_on = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, group, tenant):
        self.turns.append((group, tenant, present().get("request")))
        self.begun.release()
        assert self.go_on.acquire(timeout=SECONDS)


@pytest.fixture
def work():
    return Work()


@pytest.fixture
def threads():
    with ThreadPoolExecutor() as pool:
        yield pool


@pytest.mark.parametrize("group", ["relational", "search"])
def test_who_comes_meanwhile_waits_for_nothing_and_is_worked_for_once_more(work, threads, group):
    lanes, tenant = Lanes(), uuid7()
    first = threads.submit(lanes.run, group, tenant, work)
    assert work.begun.acquire(timeout=SECONDS)
    for request in ("second", "third"):
        with about(request=request):
            lanes.run(group, tenant, work)
    assert work.turns == [(group, tenant, None)]
    work.go_on.release(2)
    first.result(timeout=SECONDS)
    assert work.turns == [(group, tenant, None), (group, tenant, "second")]


def test_another_tenant_is_worked_for_at_the_same_time(work, threads):
    lanes, tenants = Lanes(), [uuid7(), uuid7()]
    running = [threads.submit(lanes.run, "relational", tenant, work) for tenant in tenants]
    assert all(work.begun.acquire(timeout=SECONDS) for _ in tenants)
    work.go_on.release(2)
    for each in running:
        each.result(timeout=SECONDS)
    assert sorted(tenant for _, tenant, _ in work.turns) == sorted(tenants)


def test_who_waits_for_a_lane_comes_before_who_comes_again(work, threads):
    lanes, tenants = Lanes(), [uuid7(), uuid7()]
    running = threads.submit(lanes.run, "search", tenants[0], work)
    assert work.begun.acquire(timeout=SECONDS)
    for tenant in (tenants[1], tenants[1], tenants[0]):
        lanes.run("search", tenant, work)
    work.go_on.release(3)
    running.result(timeout=SECONDS)
    assert [tenant for _, tenant, _ in work.turns] == [tenants[0], tenants[1], tenants[0]]


def test_work_that_failed_holds_up_neither_who_waits_nor_who_comes_again(work, threads):
    lanes, tenants = Lanes(), [uuid7(), uuid7()]
    turns = []

    def failing_at_first(group, tenant):
        work(group, tenant)
        turns.append(tenant)
        if len(turns) == 1:
            raise ValueError("told to fail")

    running = threads.submit(lanes.run, "search", tenants[0], failing_at_first)
    assert work.begun.acquire(timeout=SECONDS)
    for tenant in (tenants[1], tenants[0]):
        lanes.run("search", tenant, failing_at_first)
    work.go_on.release(4)
    with pytest.raises(ValueError, match="told to fail"):
        running.result(timeout=SECONDS)
    assert turns == [tenants[0], tenants[1], tenants[0]]
    lanes.run("search", tenants[1], failing_at_first)
    assert turns == [tenants[0], tenants[1], tenants[0], tenants[1]]
