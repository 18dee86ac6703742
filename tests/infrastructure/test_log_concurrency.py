"""Many writers and readers at once, as the application's role: no gap, no loss, no half append, ever visible."""

import itertools
import multiprocessing
import os
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent
from uuid_utils.compat import uuid7

from application.handling import Handler, Sender
from domain.accounts.commands import CreateAccount, EditAccount
from domain.kernel import HierarchyCycle
from domain.permissions import HELD_BY, Role
from infrastructure.appending import AppendCall
from infrastructure.event_store import open_recorder
from infrastructure.postgres import Database
from infrastructure.recorder import TenantRecorder
from tests.fixtures import event_store
from tests.infrastructure.appends import a_stream, append, change
from tests.infrastructure.silence import Silence

SPAWN = multiprocessing.get_context("spawn")
PROCESSES, THREADS = 4, 4


def _write(dsn: str, tenants: Sequence[UUID], seed: int, seconds: float, committed) -> None:
    """Four threads that append 1 to 3 events at a time, often to a stream that another writer appends to."""
    database = Database(dsn, connections=THREADS)
    appended: list[tuple[UUID, int, str, int]] = []
    conflicts = []

    def write(number: int) -> None:
        choose = random.Random(seed * 100 + number)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            tenant = choose.choice(tenants)
            recorder = TenantRecorder(database, tenant)
            stream = f"shared-{choose.randrange(3)}" if choose.random() < 0.4 else f"own-{seed}-{number}"
            known = recorder.select_events(stream, desc=True, limit=1)
            version = known[0].originator_version + 1 if known else 1
            events = [
                StoredEvent(stream, version + index, "test", os.urandom(20)) for index in range(choose.randint(1, 3))
            ]
            try:
                positions = recorder.insert_events(events)
            except IntegrityError:
                conflicts.append(stream)
                continue
            appended.extend(
                (tenant, position, stream, event.originator_version)
                for position, event in zip(positions or (), events, strict=True)
            )

    threads = [Thread(target=write, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    committed.put((appended, len(conflicts)))
    database.close()


def _follow(dsn: str, tenants: Sequence[UUID], stop, seen) -> None:
    """Reads each tenant's log behind the last position seen, again and again, and keeps all it saw."""
    database = Database(dsn, connections=1)
    last = dict.fromkeys(tenants, 0)
    log: list[tuple[UUID, int, str, int, object]] = []
    stopping = False
    while True:
        stopping = stopping or stop.is_set()
        found = 0
        for tenant in tenants:
            rows = database.read(
                tenant,
                "SELECT position, stream, version, recorded_at FROM events"
                " WHERE tenant_id = %(tenant)s AND position > %(after)s ORDER BY position LIMIT 50",
                {"after": last[tenant]},
            )
            found += len(rows)
            for row in rows:
                log.append((tenant, row["position"], row["stream"], row["version"], row["recorded_at"]))
                last[tenant] = row["position"]
        if stopping and not found:
            break
    seen.put(log)
    database.close()


@pytest.mark.parametrize("number_of_tenants", [50, 1])
def test_every_reader_sees_every_committed_event_once_and_in_order(urls, number_of_tenants):
    tenants = [uuid7() for _ in range(number_of_tenants)]
    committed, seen, stop = SPAWN.Queue(), SPAWN.Queue(), SPAWN.Event()
    readers = [SPAWN.Process(target=_follow, args=(urls.app, tenants, stop, seen)) for _ in range(2)]
    writers = [
        SPAWN.Process(target=_write, args=(urls.app, tenants, seed, 4.0, committed)) for seed in range(PROCESSES)
    ]
    for process in (*readers, *writers):
        process.start()

    answers = [committed.get(timeout=60) for _ in writers]
    stop.set()
    logs = [seen.get(timeout=60) for _ in readers]
    for process in (*readers, *writers):
        process.join(timeout=30)

    appended = {entry for entries, _ in answers for entry in entries}
    assert len(appended) > 200
    assert number_of_tenants > 1 or sum(conflicts for _, conflicts in answers) > 0
    for log in logs:
        assert len(log) == len(appended)
        assert {entry[:4] for entry in log} == appended
        for tenant in tenants:
            own = [entry for entry in log if entry[0] == tenant]
            assert [entry[1] for entry in own] == list(range(1, len(own) + 1))
            times = [entry[4] for entry in own]
            assert times == sorted(times)
            versions: dict[str, int] = {}
            for _, _, stream, version, _ in own:
                assert version == versions.get(stream, 0) + 1
                versions[stream] = version


def _write_for_ever(dsn: str, tenant: UUID) -> None:
    recorder = open_recorder(dsn, tenant)
    while True:
        stream = f"stream-{uuid7()}"
        recorder.insert_events([StoredEvent(stream, version, "test", os.urandom(200)) for version in range(1, 6)])


def test_a_writer_killed_at_any_moment_leaves_no_gap_and_no_half_append(urls):
    tenant = uuid7()
    choose = random.Random(2017)
    for _ in range(6):
        writer = SPAWN.Process(target=_write_for_ever, args=(urls.app, tenant))
        writer.start()
        grown = open_recorder(urls.app, tenant).max_notification_id() or 0
        deadline = time.monotonic() + 30
        while (open_recorder(urls.app, tenant).max_notification_id() or 0) == grown:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(choose.random() * 0.2)
        writer.kill()
        writer.join()

    with psycopg.connect(urls.superuser) as connection:
        deadline = time.monotonic() + 10
        while connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%%append_events%%'"
            " AND pid <> pg_backend_pid()"
        ).fetchone() != (0,):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        rows = connection.execute(
            "SELECT position, stream, version FROM events WHERE tenant_id = %s ORDER BY position", (tenant,)
        ).fetchall()
        head = connection.execute("SELECT position FROM tenant_heads WHERE tenant_id = %s", (tenant,)).fetchone()

    assert [position for position, _, _ in rows] == list(range(1, len(rows) + 1))
    assert head == (len(rows),)
    assert len(rows) > 30
    for start in range(0, len(rows), 5):
        assert len({stream for _, stream, _ in rows[start : start + 5]}) == 1
        assert [version for _, _, version in rows[start : start + 5]] == [1, 2, 3, 4, 5]


def _set_parent(dsn: str, tenant: UUID, child: UUID, parent: UUID, ready, go, answers) -> None:
    handler = Handler(event_store(Database(dsn, connections=1)), Silence())
    sender = Sender(tenant=tenant, actor="test", permissions=HELD_BY[Role.ADMIN], correlation=uuid4())
    handler.present(tenant, "account", child)
    ready.put(True)
    go.wait()
    try:
        handler.handle(sender, "account", child, EditAccount(parent=parent))
    except HierarchyCycle:
        answers.put("refused")
    else:
        answers.put("moved")


@pytest.mark.parametrize("chain", [1, 3])
def test_two_processes_that_race_on_the_parent_of_an_account_never_make_a_cycle(urls, store, chain):
    handler = Handler(store, Silence())
    for _ in range(3):
        tenant = uuid7()
        sender = Sender(tenant=tenant, actor="test", permissions=HELD_BY[Role.ADMIN], correlation=uuid4())
        accounts = [uuid7() for _ in range(2 * chain)]
        for account in accounts:
            handler.handle(sender, "account", account, CreateAccount(name="An account"))
        left, right = accounts[:chain], accounts[chain:]
        for side in (left, right):
            for above, below in itertools.pairwise(side):
                handler.handle(sender, "account", below, EditAccount(parent=above))
        ready, go, answers = SPAWN.Queue(), SPAWN.Event(), SPAWN.Queue()
        racers = [
            SPAWN.Process(target=_set_parent, args=(urls.app, tenant, child, parent, ready, go, answers))
            for child, parent in ((left[0], right[-1]), (right[0], left[-1]))
        ]
        for racer in racers:
            racer.start()
        for _ in racers:
            ready.get(timeout=60)
        go.set()
        assert sorted(answers.get(timeout=60) for _ in racers) == ["moved", "refused"]
        for racer in racers:
            racer.join(timeout=30)

        for account in accounts:
            passed = set()
            current: UUID | None = account
            while current is not None:
                assert current not in passed
                passed.add(current)
                current = handler.present(tenant, "account", current).state.parent


def test_an_append_whose_answer_was_lost_is_not_stored_twice_and_not_reported_as_a_conflict(store, tenant, monkeypatch):
    lost = []
    run = AppendCall.run

    def run_and_lose_the_first_answer(call, connection):
        row = run(call, connection)
        if not lost:
            lost.append(row)
            raise psycopg.OperationalError("the connection was lost")
        return row

    monkeypatch.setattr(AppendCall, "run", run_and_lose_the_first_answer)
    stream = a_stream()
    answer = store.append(tenant, append(change(stream)))

    assert lost
    assert (answer.position, answer.versions) == (1, {stream: 1})
    assert store.head(tenant) == 1


def test_an_append_over_connections_that_the_server_has_ended_is_tried_again(store, database, tenant, urls):
    stream = a_stream()
    store.append(tenant, append(change(stream)))
    with ThreadPoolExecutor(8) as threads:  # so that as many connections idle in the pool
        list(threads.map(lambda _: database.read(tenant, "SELECT pg_sleep(0.2)"), range(8)))
    with psycopg.connect(urls.superuser, autocommit=True) as superuser:
        superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'clientforge'"
        )
    assert store.append(tenant, append(change(stream, 1))).position == 2
