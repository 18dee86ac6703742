"""Draining: every event once and in order, into every projection, whoever else is at work."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from uuid_utils.compat import uuid7

from tests.faults.stand import GROUPS, Background, Stand
from tests.faults.stores import TABLES


def test_a_drain_brings_every_group_to_the_end_of_the_log(stand, tenant):
    first, second = stand.open(tenant, 2)
    stand.edit(tenant, second, 1)
    stand.drain(tenant)
    assert stand.positions(tenant) == dict.fromkeys((*TABLES, "search", "audit"), 3)
    expected = [(first, 1, 1, "a deal"), (second, 3, 2, "renamed")]
    assert [stand.rows(tenant, table) for table in TABLES] == [expected] * 3
    assert stand.index.published == {tenant: 1}
    assert {each.title for each in stand.index.documents(tenant, 1, "deal")} == {"a deal", "renamed"}
    assert sorted(stand.trail.written[tenant, 1]) == [1, 2, 3]


def test_a_tenant_without_a_log_gets_no_checkpoints(stand, tenant):
    stand.drain(tenant)
    assert stand.database.read(tenant, "SELECT 1 FROM projection_checkpoints WHERE tenant_id = %(tenant)s") == []


def test_two_tenants_at_equal_positions_keep_apart(stand):
    one, other = uuid7(), uuid7()
    (of_one,), (of_other,) = stand.open(one, name="of one"), stand.open(other, name="of the other")
    stand.drain(one)
    stand.drain(other)
    for tenant, stream, name in ((one, of_one, "of one"), (other, of_other, "of the other")):
        assert stand.rows(tenant) == [(stream, 1, 1, name)]
        assert [each.title for each in stand.index.documents(tenant, 1, "deal")] == [name]
        assert [each.stream for each in stand.trail.find(tenant, 1, None)] == [stream]


def test_a_log_longer_than_a_batch_is_read_in_batches_once_per_group(stand, tenant):
    for _ in range(5):
        stand.open(tenant, 50)
    stand.drain(tenant)
    for whims in (stand.heard[0].whims, stand.heard[2].whims, stand.trail.whims):
        assert [(after, until) for _, _, after, until in whims.calls] == [(0, 100), (100, 200), (200, 250)]


def test_the_history_before_the_batch_is_part_of_a_story(stand, tenant):
    (stream,) = stand.open(tenant)
    stand.drain(tenant)
    stand.edit(tenant, stream, 1)
    stand.drain(tenant)
    assert stand.rows(tenant) == [(stream, 2, 2, "renamed")]
    last = stand.trail.written[tenant, 1][2]
    assert last.before is not None
    assert last.after is not None
    assert (last.before["name"], last.after["name"]) == ("a deal", "renamed")


def test_a_batch_that_comes_again_changes_nothing(stand, tenant):
    first, second = stand.open(tenant, 2)
    stand.edit(tenant, first, 1)
    stand.edit(tenant, second, 1)
    stand.drain(tenant)
    rows, documents, trail = stand.rows(tenant), dict(stand.index.written), dict(stand.trail.written)
    for position in (0, 1, 3):
        with stand.database.transaction(tenant) as transaction:
            transaction.execute(
                "UPDATE projection_checkpoints SET position = %(position)s WHERE tenant_id = %(tenant)s",
                {"position": position},
            )
        stand.drain(tenant)
        assert (stand.rows(tenant), stand.index.written, stand.trail.written) == (rows, documents, trail)
        assert set(stand.positions(tenant).values()) == {4}


def test_a_projection_that_lags_catches_up_by_itself_and_then_goes_with_the_others(stand, tenant):
    stand.open(tenant, 150)
    stand.drain(tenant)
    with stand.database.transaction(tenant) as transaction:
        transaction.execute(
            "DELETE FROM projection_checkpoints WHERE tenant_id = %(tenant)s AND projection = %(name)s",
            {"name": TABLES[1]},
        )
    stand.open(tenant, 30)
    for heard in stand.heard:
        heard.whims.calls.clear()
    stand.drain(tenant)
    first, new, _ = ([(after, until) for *_, after, until in heard.whims.calls] for heard in stand.heard)
    assert first == [(150, 180)]
    assert new == [(0, 100), (100, 180)]
    assert len(stand.rows(tenant, TABLES[1])) == 180


def test_many_drains_at_once_apply_each_batch_once(stand, tenant):
    stand.open(tenant, 400)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda group: stand.drain(tenant, group), GROUPS * 6))
    assert set(stand.positions(tenant).values()) == {400}
    for heard in stand.heard:
        assert [(after, until) for *_, after, until in heard.whims.calls] == [(n, n + 100) for n in range(0, 400, 100)]


def test_no_event_is_missed_that_comes_while_another_drain_holds_the_checkpoints(stand, tenant):
    """The second drain finds the rows held and returns at once; the first must see the event by itself."""
    stand.open(tenant)
    inside, go_on = threading.Event(), threading.Event()

    def hold_on():
        inside.set()
        go_on.wait(10)

    stand.heard[2].whims.meanwhile = hold_on
    with Background(lambda: stand.engine.drain("relational", tenant)):
        assert inside.wait(10)
        stand.open(tenant)
        started = time.monotonic()
        assert stand.engine.drain("relational", tenant)
        assert time.monotonic() - started < 1
        assert stand.positions(tenant)[TABLES[0]] == 0
        go_on.set()
    assert stand.positions(tenant)[TABLES[0]] == 2


def test_no_event_is_missed_however_the_last_looks_and_the_wake_ups_fall(stand, tenant):
    """Each append is followed by one drain in another thread, and nothing else ever looks."""
    (stream,) = stand.open(tenant)
    stand.drain(tenant)
    with ThreadPoolExecutor(6) as pool:
        for version in range(1, 200):
            stand.edit(tenant, stream, version)
            pool.submit(stand.engine.drain, "relational", tenant)
    assert stand.positions(tenant)[TABLES[0]] == 200
    assert stand.rows(tenant) == [(stream, 200, 200, "renamed")]


def test_more_drains_than_connections_finish(urls, heard_tables):
    """Each holds a connection and needs another one for its reading: both pools have two."""
    stand = Stand(urls.app)
    small = Stand(urls.app, index=stand.index, trail=stand.trail, heard=stand.heard)
    tenants = [uuid7() for _ in range(12)]
    for tenant in tenants:
        stand.open(tenant, 30)
    small.database._pool.resize(0, 2)
    small.pool._pool.resize(0, 2)
    started = time.monotonic()
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(small.drain, tenants))
    assert time.monotonic() - started < 20
    assert all(set(small.positions(tenant).values()) == {30} for tenant in tenants)
    stand.close()
    small.close()


def test_a_stop_ends_a_drain_after_its_batch_and_says_that_it_is_not_done(stand, tenant):
    stand.open(tenant, 400)
    stand.heard[0].whims.meanwhile = stand.engine.stop
    assert not stand.engine.drain("relational", tenant)
    assert (stand.positions(tenant)[TABLES[0]], len(stand.rows(tenant))) == (100, 100)


def test_a_long_log_is_drained_in_turns(stand, tenant):
    stand.open(tenant, 300)
    stand.engine.pace = type(stand.pace)(batch=100, turn=0.0001)
    assert not stand.engine.drain("relational", tenant)
    assert stand.positions(tenant)[TABLES[0]] in (0, 100)
    stand.drain(tenant, "relational")
    assert stand.positions(tenant)[TABLES[0]] == 300
