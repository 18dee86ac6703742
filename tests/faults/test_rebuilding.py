"""Rebuilds: the old generation serves until the switch, and the new one equals it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from uuid_utils.compat import uuid7

from projections import building
from projections.building import RebuildStopped
from projections.checkpoints import hold_all, switch
from projections.decisions import UnknownProjection
from projections.rebuilding import Rebuilder
from tests.faults.stand import Background, Stand, eventually
from tests.faults.stores import TABLES

FIRST, SECOND, THIRD = TABLES
ALL = (*TABLES, "search", "audit")


def rebuilder(stand: Stand, *tenants) -> Rebuilder:
    return Rebuilder(stand.engine, lambda: tenants)


def live(stand, tenant):
    return {name: each.generation for name, each in stand.status(tenant).items()}


def checkpoints(stand, tenant):
    return stand.database.read(
        tenant,
        "SELECT projection, generation, live FROM projection_checkpoints"
        " WHERE tenant_id = %(tenant)s ORDER BY projection, generation",
    )


def test_a_rebuild_replaces_every_generation_and_deletes_the_old_ones(stand, tenant):
    streams = stand.open(tenant, 150)
    stand.edit(tenant, streams[0], 1)
    stand.drain(tenant)
    rows, documents, trail = stand.rows(tenant), stand.index.written[tenant, 1], stand.trail.written[tenant, 1]
    assert rebuilder(stand).rebuild(tenant=tenant, by="cli") == []
    assert live(stand, tenant) == dict.fromkeys(ALL, 2)
    assert [stand.rows(tenant, table) for table in TABLES] == [rows] * 3
    assert [stand.generations(tenant, table) for table in TABLES] == [[2]] * 3
    assert (stand.index.written, stand.index.published) == ({(tenant, 2): documents}, {tenant: 2})
    assert stand.trail.written == {(tenant, 2): trail}
    assert [row["live"] for row in checkpoints(stand, tenant)] == [True] * 5


def test_only_the_named_projections_are_rebuilt(stand, tenant):
    stand.open(tenant)
    stand.drain(tenant)
    rebuilder(stand).rebuild([SECOND, "audit"], tenant, by="cli")
    assert live(stand, tenant) == {FIRST: 1, SECOND: 2, THIRD: 1, "search": 1, "audit": 2}
    with pytest.raises(UnknownProjection, match="nonsense"):
        rebuilder(stand).rebuild([FIRST, "nonsense"], tenant, by="cli")


def test_the_old_generation_serves_while_appends_and_drains_go_on(stand, tenant):
    """A reader sees every event that it was told is projected, before, during and after the switch."""
    streams = stand.open(tenant, 120)
    stand.drain(tenant)
    over, missing, versions = threading.Event(), [], [1] * len(streams)

    def write_and_read():
        number = 0
        while not over.is_set() or number < 30:
            index = number % len(streams)
            name = f"name {number}"
            stand.edit(tenant, streams[index], versions[index], name=name)
            versions[index] += 1
            head = stand.store.head(tenant)
            while stand.positions(tenant)[FIRST] < head:  # what a switch holds, it projects itself
                stand.drain(tenant)
            seen = {stream: (name, events) for stream, _, events, name in stand.rows(tenant)}
            if len(seen) != len(streams) or seen[streams[index]] != (name, versions[index]):
                missing.append((number, len(seen), seen.get(streams[index])))
            number += 1

    for heard in stand.heard:
        heard.whims.seconds = 0.01
    with Background(write_and_read):
        for _ in range(3):
            assert rebuilder(stand).rebuild(tenant=tenant, by="cli") == []
        over.set()
    stand.drain(tenant)
    assert missing == []
    assert live(stand, tenant) == dict.fromkeys(ALL, 4)
    head = stand.store.head(tenant)
    assert set(stand.positions(tenant).values()) == {head}
    stories = stand.store.streams(tenant, streams)
    assert stand.rows(tenant) == [
        (stream, stories[stream][-1].position, len(stories[stream]), stand.rows(tenant, THIRD)[number][3])
        for number, stream in enumerate(sorted(streams))
    ]
    assert sorted(stand.trail.written[tenant, 4]) == list(range(1, head + 1))
    assert list(stand.trail.written) == [(tenant, 4)]


def test_a_parked_projection_is_rebuilt_and_its_failure_resolved(stand, tenant):
    stand.open(tenant, 5)
    stand.heard[0].whims.poison = {3}
    eventually(lambda: stand.drain(tenant) or stand.status(tenant)[FIRST].parked_at)
    stand.heard[0].whims.poison = set()
    assert rebuilder(stand).rebuild([FIRST], tenant, by="user-1") == []
    assert (stand.positions(tenant)[FIRST], stand.status(tenant)[FIRST].parked_at) == (5, None)
    assert len(stand.rows(tenant)) == 5
    assert [(each["how"], each["by"]) for each in stand.failures(tenant)] == [("rebuild", "user-1")]


def test_a_rebuild_that_meets_poison_leaves_the_live_generation_and_starts_anew_next_time(stand, tenant):
    stand.open(tenant, 150)
    stand.drain(tenant)
    stand.heard[0].whims.poison = {120}
    (failure,) = rebuilder(stand).rebuild([FIRST, SECOND], tenant, by="cli")
    assert str(failure).startswith(f"{FIRST} of tenant {tenant} before position 120: ValueError at tests/")
    assert live(stand, tenant)[FIRST] == 1
    assert live(stand, tenant)[SECOND] == 2
    assert stand.generations(tenant) == [1]
    stand.heard[0].whims.poison = set()
    stand.heard[0].whims.calls.clear()
    assert rebuilder(stand).rebuild([FIRST], tenant, by="cli") == []
    assert stand.heard[0].whims.calls[0][2] == 0
    assert (len(stand.rows(tenant)), stand.generations(tenant)) == (150, [live(stand, tenant)[FIRST]])


def test_an_event_that_was_skipped_stays_skipped(stand, tenant):
    stand.open(tenant, 5)
    stand.heard[0].whims.poison = {3}
    eventually(lambda: stand.drain(tenant) or stand.status(tenant)[FIRST].parked_at)
    stand.decisions.skip(tenant, FIRST, reason="broken", by="user-1")
    stand.drain(tenant)
    rows = stand.rows(tenant)
    assert rebuilder(stand).rebuild([FIRST], tenant, by="cli") == []
    assert (live(stand, tenant)[FIRST], stand.rows(tenant)) == (2, rows)


def test_a_store_that_is_away_makes_a_rebuild_wait(stand, tenant):
    stand.open(tenant, 5)
    stand.drain(tenant)
    stand.index.whims.away = True
    with Background(lambda: rebuilder(stand).rebuild(["search"], tenant, by="cli")):
        eventually(lambda: len(stand.index.whims.calls) > 3)
        assert live(stand, tenant)["search"] == 1
        stand.index.whims.away = False
    assert (live(stand, tenant)["search"], stand.index.published[tenant]) == (2, 2)


def test_a_stopped_rebuild_goes_on_where_it_was(stand, tenant):
    stand.open(tenant, 400)
    stand.drain(tenant)
    stand.heard[0].whims.seconds = 0.03
    stopping = lambda *now: now[2] >= 200 and stand.engine.stop()  # noqa: E731
    with pytest.raises(RebuildStopped):
        rebuilder(stand).rebuild([FIRST], tenant, by="cli", progress=stopping)
    assert (live(stand, tenant)[FIRST], len(stand.rows(tenant))) == (1, 400)
    again = stand.again()
    again.heard[0].whims.calls.clear()
    seen = []
    assert rebuilder(again).rebuild([FIRST], tenant, by="cli", progress=lambda *now: seen.append(now)) == []
    assert seen[0] == (tenant, FIRST, 300, 400)
    assert again.heard[0].whims.calls[0][1:3] == (2, 300)
    assert (live(again, tenant)[FIRST], len(again.rows(tenant)), again.generations(tenant)) == (2, 400, [2])
    again.close()


def test_a_rebuild_afresh_takes_nothing_over(stand, tenant):
    stand.open(tenant, 300)
    stand.drain(tenant)
    with suppress(RebuildStopped):
        rebuilder(stand).rebuild([FIRST], tenant, by="cli", progress=lambda *now: now[2] >= 100 and stand.engine.stop())
    again = stand.again()
    again.heard[0].whims.calls.clear()
    assert rebuilder(again).rebuild([FIRST], tenant, by="cli", afresh=True) == []
    assert again.heard[0].whims.calls[0][1:3] == (3, 0)
    assert (len(again.rows(tenant)), again.generations(tenant)) == (300, [3])
    assert [row["generation"] for row in checkpoints(again, tenant) if row["projection"] == FIRST] == [3]
    again.close()


def test_two_rebuilds_at_once_do_no_harm(stand, tenant):
    stand.open(tenant, 300)
    stand.drain(tenant)
    rows = stand.rows(tenant)
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(rebuilder(stand).rebuild, (), tenant, by="cli") for _ in range(2)]
        assert [run.result() for run in runs] == [[], []]
    generation = live(stand, tenant)[FIRST]
    assert generation in (2, 3)
    assert stand.rows(tenant) == rows
    rebuilder(stand).rebuild((), tenant, by="cli")
    assert [stand.generations(tenant, table) for table in TABLES] == [[live(stand, tenant)[table]] for table in TABLES]


def test_several_tenants_are_rebuilt_in_parallel(stand):
    tenants = [uuid7() for _ in range(4)]
    for tenant in tenants:
        stand.open(tenant, 10)
        stand.drain(tenant)
    together = threading.Barrier(4)
    stand.heard[0].whims.meanwhile = lambda: together.wait(10)
    assert rebuilder(stand, *tenants).rebuild([FIRST], by="cli") == []
    assert [live(stand, tenant)[FIRST] for tenant in tenants] == [2] * 4


def test_a_search_generation_is_published_even_when_the_rebuild_dies_right_after_the_switch(stand, tenant, monkeypatch):
    stand.open(tenant, 3)
    stand.drain(tenant)
    monkeypatch.setattr("projections.building.Build._publish", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rebuilder(stand).rebuild(["search"], tenant, by="cli")
    assert (live(stand, tenant)["search"], stand.index.published[tenant]) == (2, 1)
    stand.drain(tenant, "search")
    assert stand.index.published[tenant] == 2
    monkeypatch.undo()
    rebuilder(stand).rebuild(["search"], tenant, by="cli")
    assert list(stand.index.written) == [(tenant, 3)]


def test_what_comes_while_the_switch_holds_the_checkpoints_is_projected(stand, tenant, monkeypatch):
    """The only wake-up falls into the switch and finds the checkpoint held: the rebuild must look after it."""
    stand.open(tenant, 3)
    stand.drain(tenant)
    found = []

    def switched_while_woken(*held, **named):
        switch(*held, **named)
        stand.open(tenant, 1)
        found.append(stand.engine.drain("relational", tenant))

    monkeypatch.setattr(building, "switch", switched_while_woken)
    rebuilder(stand).rebuild([FIRST], tenant, by="cli")
    assert found == [True]
    assert stand.positions(tenant)[FIRST] == 4


def test_the_last_events_are_caught_up_while_the_live_generation_is_held(stand, tenant, monkeypatch):
    stand.open(tenant, 3)
    stand.drain(tenant)

    def held_too_late(transaction, projection):
        stand.open(tenant, 2)
        stand.drain(tenant)
        return hold_all(transaction, projection)

    monkeypatch.setattr(building, "hold_all", held_too_late)
    rebuilder(stand).rebuild([FIRST], tenant, by="cli")
    assert (live(stand, tenant)[FIRST], stand.positions(tenant)[FIRST], len(stand.rows(tenant))) == (2, 5, 5)
