"""What fails: a store that is away, an event that can't be applied, a newer release, a missing key."""

import logging
import time

import pytest
from uuid_utils.compat import uuid7

from application.ports import KeyMissing
from application.recording import UnknownEventType
from infrastructure.event_store import PostgresEventStore
from projections.decisions import NotStandingStill, UnknownProjection
from projections.failures import Failure, delay
from projections.ports import StoreAway
from projections.setbacks import Pace
from tests.faults.stand import Stand, eventually
from tests.faults.stores import TABLES

FIRST, SECOND, THIRD = TABLES


def drained_until(stand, tenant, check):
    """Drains again and again, as the sweeper would have it, until `check()`."""

    def drained():
        stand.drain(tenant)
        return check()

    eventually(drained)


def test_a_store_that_is_away_parks_nothing_loses_nothing_and_holds_nobody_up(stand, tenant):
    stand.index.whims.away = True
    stand.open(tenant, 3)
    for _ in range(10):
        stand.drain(tenant)
        time.sleep(0.03)
    search = stand.status(tenant)["search"]
    assert (search.position, search.failure, search.parked_at) == (0, Failure.AWAY, None)
    assert search.attempts > 2
    assert stand.positions(tenant) == {**dict.fromkeys((*TABLES, "audit"), 3), "search": 0}
    stand.index.whims.away = False
    drained_until(stand, tenant, lambda: stand.positions(tenant)["search"] == 3)
    assert len(stand.index.documents(tenant, 1, "deal")) == 3
    assert stand.index.published[tenant] == 1
    assert (stand.status(tenant)["search"].attempts, stand.failures(tenant), stand.parked) == (0, [], [])


def test_delays_double_up_to_a_minute():
    assert [delay(2, attempts) for attempts in (1, 2, 3, 4, 5, 6, 100)] == [2, 4, 8, 16, 32, 60, 60]


def test_a_delay_is_honoured_after_a_restart(urls, heard_tables, tenant):
    stand = Stand(urls.app, pace=Pace(retry_base=60))
    stand.index.whims.away = True
    stand.open(tenant)
    stand.drain(tenant, "search")
    stand.index.whims.away = False
    stand.close()
    again = stand.again()
    calls = len(stand.index.whims.calls)
    again.drain(tenant, "search")
    assert (again.positions(tenant)["search"], len(stand.index.whims.calls)) == (0, calls)
    with again.database.transaction(tenant) as transaction:
        transaction.execute(
            "UPDATE projection_checkpoints SET retry_at = retry_at - interval '60 seconds'"
            " WHERE tenant_id = %(tenant)s AND projection = 'search'"
        )
    again.drain(tenant, "search")
    assert again.positions(tenant)["search"] == 1
    again.close()


def test_a_poisonous_event_parks_its_projection_of_its_tenant_alone(stand, tenant, caplog):
    other = uuid7()
    streams = stand.open(tenant, 10)
    stand.open(other, 10)
    stand.heard[1].whims.poison = {7}
    stand.heard[1].whims.tenants = {tenant}
    drained_until(stand, tenant, lambda: stand.status(tenant)[SECOND].parked_at)
    stand.drain(other)
    stand.open(tenant, 5)
    stand.drain(tenant)
    assert stand.positions(tenant) == {**dict.fromkeys((FIRST, THIRD, "search", "audit"), 15), SECOND: 6}
    assert set(stand.positions(other).values()) == {10}
    assert [stream for stream, *_ in stand.rows(tenant, SECOND)] == sorted(streams[:6])
    (failure,) = stand.failures(tenant)
    assert (failure["projection"], failure["position"], failure["stream"]) == (SECOND, 7, streams[6])
    assert (failure["type"], failure["resolved_at"]) == ("deal.opened.v1", None)
    assert failure["error"].startswith("ValueError at tests/faults/stores.py:")
    (parked,) = stand.parked
    assert (parked.tenant, parked.projection, parked.position, parked.error) == (tenant, SECOND, 7, failure["error"])
    assert "Jane" not in caplog.text + failure["error"]


def test_a_poisonous_event_is_retried_as_often_and_as_late_as_set(stand, tenant):
    stand.heard[0].whims.poison = {1}
    stand.open(tenant)
    drained_until(stand, tenant, lambda: stand.status(tenant)[FIRST].parked_at)
    first, second, third = stand.heard[0].whims.times
    assert second - first > 0.045
    assert third - second > 0.09
    calls = len(stand.heard[0].whims.calls)
    stand.drain(tenant)
    assert len(stand.heard[0].whims.calls) == calls


def test_only_what_an_event_poisons_is_fed_event_by_event(stand, tenant):
    stand.open(tenant, 100)
    stand.heard[0].whims.poison = {90}
    stand.drain(tenant)
    assert stand.positions(tenant)[FIRST] == 89
    assert [(after, until) for *_, after, until in stand.heard[2].whims.calls] == [(0, 100)]
    assert len(stand.heard[0].whims.calls) < 30


@pytest.mark.parametrize("group", ["search", "audit"])
def test_a_document_that_a_store_refuses_parks_that_group(stand, tenant, group):
    whims = {"search": stand.index, "audit": stand.trail}[group].whims
    whims.poison = {2}
    stand.open(tenant, 3)
    drained_until(stand, tenant, lambda: stand.status(tenant)[group].parked_at)
    assert stand.positions(tenant) == {**dict.fromkeys((*TABLES, "search", "audit"), 3), group: 1}


def test_a_retry_goes_on_where_it_stood(stand, tenant):
    stand.open(tenant, 5)
    stand.heard[0].whims.poison = {3}
    drained_until(stand, tenant, lambda: stand.status(tenant)[FIRST].parked_at)
    stand.heard[0].whims.poison = set()
    stand.drain(tenant)
    assert stand.positions(tenant)[FIRST] == 2
    stand.decisions.retry(tenant, FIRST, by="user-1", reason="fixed")
    assert stand.woken == [("relational", tenant)]
    stand.drain(tenant)
    assert stand.positions(tenant)[FIRST] == 5
    (failure,) = stand.failures(tenant)
    assert (failure["how"], failure["by"], failure["reason"]) == ("retry", "user-1", "fixed")
    assert failure["resolved_at"] is not None


def test_a_retry_that_fails_again_is_parked_again(stand, tenant):
    stand.open(tenant)
    stand.heard[0].whims.poison = {1}
    drained_until(stand, tenant, lambda: stand.status(tenant)[FIRST].parked_at)
    stand.decisions.retry(tenant, FIRST, by="user-1")
    assert stand.status(tenant)[FIRST].parked_at is None
    drained_until(stand, tenant, lambda: stand.status(tenant)[FIRST].parked_at)
    assert [failure["how"] for failure in stand.failures(tenant)] == ["retry", None]


def test_a_skip_leaves_the_one_event_out_and_says_who_and_why(stand, tenant):
    streams = stand.open(tenant, 5)
    stand.heard[0].whims.poison = {3}
    drained_until(stand, tenant, lambda: stand.status(tenant)[FIRST].parked_at)
    assert stand.decisions.skip(tenant, FIRST, reason="broken import", by="user-1") == 3
    stand.drain(tenant)
    assert stand.positions(tenant)[FIRST] == 5
    assert [stream for stream, *_ in stand.rows(tenant)] == sorted(streams[:2] + streams[3:])
    (failure,) = stand.failures(tenant)
    assert (failure["how"], failure["by"], failure["reason"]) == ("skip", "user-1", "broken import")


def test_only_what_stands_still_can_be_decided_on(stand, tenant):
    stand.open(tenant)
    stand.drain(tenant)
    with pytest.raises(NotStandingStill):
        stand.decisions.retry(tenant, FIRST, by="user-1")
    with pytest.raises(NotStandingStill):
        stand.decisions.skip(tenant, FIRST, reason="", by="user-1")
    with pytest.raises(UnknownProjection, match="heard_first"):
        stand.decisions.retry(tenant, "nonsense", by="user-1")


def test_what_waits_is_not_skipped(stand, tenant):
    stand.index.whims.away = True
    stand.open(tenant)
    stand.drain(tenant)
    with pytest.raises(NotStandingStill, match="by itself"):
        stand.decisions.skip(tenant, "search", reason="impatience", by="user-1")


class Unreadable:
    """The stand's store, that can't read events from some position on."""

    def __init__(self, store: PostgresEventStore, error: Exception, position: int) -> None:
        self._store, self._position = store, position
        self.error: Exception | None = error

    def log(self, tenant, *, after, limit, sealed=False):
        events = self._store.log(tenant, after=after, limit=limit, sealed=sealed)
        if self.error is not None and events and events[-1].position >= self._position and not sealed:
            raise self.error
        return events

    def streams(self, *arguments, **named):
        return self._store.streams(*arguments, **named)


@pytest.mark.parametrize(
    ("error", "failure", "level"),
    [
        (UnknownEventType("deal.opened.v9"), Failure.NEWER, logging.WARNING),
        (KeyMissing("the key of Jane"), Failure.KEY, logging.CRITICAL),
    ],
)
def test_what_a_newer_release_wrote_or_a_missing_key_pauses_and_never_parks(
    stand, tenant, caplog, error, failure, level
):
    unreadable = Unreadable(stand.store, error, 3)
    stand.store = unreadable
    stand.engine = stand._engine()
    Stand.open(Stand(stand.app_url), tenant, 5)
    for _ in range(12):
        stand.drain(tenant)
        time.sleep(0.02)
    found = stand.status(tenant)
    for name in (*TABLES, "search"):
        assert (found[name].position, found[name].failure, found[name].parked_at) == (2, failure, None)
    assert found["audit"].position == 5
    assert stand.failures(tenant) == []
    assert any(record.levelno == level for record in caplog.records)
    unreadable.error = None
    drained_until(stand, tenant, lambda: set(stand.positions(tenant).values()) == {5})


def test_an_event_that_nobody_can_read_parks_all_that_would_open_it(stand, tenant):
    stand.store = Unreadable(stand.store, ValueError("not of its type"), 3)
    stand.engine = stand._engine()
    Stand.open(Stand(stand.app_url), tenant, 5)
    drained_until(stand, tenant, lambda: all(stand.status(tenant)[name].parked_at for name in (*TABLES, "search")))
    assert stand.positions(tenant) == {**dict.fromkeys((*TABLES, "search"), 2), "audit": 5}


def test_an_error_in_a_statement_undoes_that_projection_alone(stand, tenant, monkeypatch):
    monkeypatch.setattr(stand.heard[1], "project", lambda rows, batch: rows.execute("SELECT 1/0"))
    stand.open(tenant, 3)
    stand.drain(tenant)
    assert {name: stand.positions(tenant)[name] for name in TABLES} == {FIRST: 3, SECOND: 0, THIRD: 3}
    assert len(stand.rows(tenant, THIRD)) == 3
    assert stand.status(tenant)[SECOND].failure is Failure.POISON


def test_a_connection_that_is_lost_in_the_middle_of_a_batch_parks_nothing_and_loses_nothing(stand, tenant, monkeypatch):
    stand.open(tenant, 3)
    project = stand.heard[1].project

    def cut(rows, batch):
        project(rows, batch)
        rows.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with monkeypatch.context() as patch:
        patch.setattr(stand.heard[1], "project", cut)
        with pytest.raises(StoreAway):
            stand.engine.drain("relational", tenant)
        assert stand.rows(tenant) == []
    stand.drain(tenant)
    assert {name: stand.positions(tenant)[name] for name in TABLES} == dict.fromkeys(TABLES, 3)
    assert [stand.status(tenant)[name].failure for name in TABLES] == [None] * 3
