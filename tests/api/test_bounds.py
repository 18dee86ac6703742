"""What one request may ask for: the size, depth and lists of its body, and the time and places that it takes."""

import threading
import time
from contextlib import contextmanager
from typing import Annotated, Any

import psycopg
import pytest
from msgspec import Meta, Struct

from api.body_bounds import DEEPEST, LONGEST
from api.decoding import decoded, parsed
from api.refusals import InvalidRequest, MalformedJson
from infrastructure.bootstrap import build
from infrastructure.postgres import Database
from projections.ports import TookTooLong
from tests.api.doors import at, opened
from tests.api.stand import pointers, problem

JSON = {"Content-Type": "application/json"}


class Listed(Struct, forbid_unknown_fields=True):
    """Lists that say nothing of their length, and one that does."""

    names: list[str] = []
    by_name: dict[str, list[int]] = {}
    few: Annotated[list[int], Meta(max_length=3)] = []


def in_pieces(size, piece=100):
    """A body whose length nothing announces."""
    for _ in range(size // piece):
        yield b" " * piece


def test_a_body_in_pieces_is_measured_while_it_comes(application, acme):
    with opened(application, largest_body_bytes=1000) as client:
        rep = at(client, acme.rep)
        answer = rep.ask("POST", "/accounts", headers=JSON, content=in_pieces(2000))
        assert "content-length" not in answer.request.headers
        problem(answer, 413, "too_large")
        problem(rep.ask("POST", "/accounts", headers=JSON, content=in_pieces(900)), 400, "malformed_json")
        problem(rep.post("/accounts", {"name": "A" * 1000}), 413, "too_large")


def test_a_body_nests_only_so_deep(acme):
    def nested(depth):
        return b'{"name": ' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"

    told = problem(acme.rep.ask("POST", "/accounts", headers=JSON, content=nested(DEEPEST + 1)), 400, "malformed_json")
    assert str(DEEPEST) in told["detail"]
    problem(acme.rep.ask("POST", "/accounts", headers=JSON, content=nested(DEEPEST)), 422, "invalid_request")


@pytest.mark.parametrize("text", ["[" * 100, '\\"' + "{" * 100, "\\\\", "}" * 100 + "[" * 100])
def test_brackets_in_texts_nest_nothing(acme, text):
    raw = b'{"name": "A", "description": "' + text.encode() + b'"}'
    assert acme.rep.ask("POST", "/accounts", headers=JSON, content=raw).status_code == 201


SLOW = [b'"' + b'\\"' * 400_000 + b"[" * 40, b'""' * 200_000 + b"[{" * 20, b"\\" * 9 + b"[" * 40]


@pytest.mark.parametrize("raw", SLOW, ids=range(3))
def test_a_body_that_is_made_to_be_slow_is_not(raw):
    began = time.monotonic()
    with pytest.raises(MalformedJson):
        decoded(Listed, raw)
    assert time.monotonic() - began < 1


def test_lists_and_objects_that_say_nothing_of_their_length_are_bounded():
    assert len(decoded(Listed, b'{"names": [' + b",".join([b'"a"'] * LONGEST) + b"]}").names) == LONGEST
    long = b",".join([b"1"] * (LONGEST + 1))
    for raw, pointer in (
        (b'{"names": [' + long.replace(b"1", b'"a"') + b"]}", "/names"),
        (b'{"by_name": {"a": [], "b/c": [' + long + b"]}}", "/by_name/b~1c"),
    ):
        with pytest.raises(InvalidRequest) as refused:
            decoded(Listed, raw)
        assert [(each.pointer, each.detail) for each in refused.value.faults] == [(pointer, f"Give at most {LONGEST}.")]


def test_lists_in_parameters_are_bounded():
    assert len(parsed(Listed, [("names", ",".join("a" * LONGEST))]).names) == LONGEST
    with pytest.raises(InvalidRequest) as refused:
        parsed(Listed, [("names", ",".join("a" * (LONGEST + 1)))])
    assert refused.value.faults[0].detail == f"Give at most {LONGEST}."


@pytest.mark.parametrize("limit", ["0", "201", "-1", "many"])
def test_a_page_has_at_most_200_records(acme, limit):
    answer = acme.rep.get("/accounts", limit=limit)
    assert (answer.status_code, pointers(answer.json())) == (422, {"/limit"})


@contextmanager
def locked(urls, table):
    """Nobody reads a table: queries take as long as this lasts."""
    with psycopg.connect(urls.superuser) as connection:
        connection.execute(f"LOCK TABLE {table}")
        yield
        connection.rollback()


def test_a_query_that_takes_too_long_is_cut_off_and_no_fault_of_the_server(api_settings, urls, acme):
    application = build(api_settings, query_seconds=0.3)
    try:
        with opened(application) as client:
            rep = at(client, acme.rep)
            with locked(urls, "accounts"):
                began = time.monotonic()
                problem(rep.get("/accounts"), 504, "took_too_long")
                assert time.monotonic() - began < 3
            assert rep.get("/accounts").status_code == 200
    finally:
        application.close()


def test_the_api_bounds_its_queries_and_workers_do_not(api_settings, monkeypatch, tenant):
    seen = []

    def create(application, on_close):
        seen.extend([application.database, application.engine.database])
        return on_close

    monkeypatch.setattr("api.app.create", create)
    from api.app import load

    close: Any = load(api_settings)
    worker = build(api_settings)
    told = [
        each.read(tenant, "SELECT current_setting('statement_timeout') AS now")[0]["now"]
        for each in (*seen, worker.database, worker.engine.database)
    ]
    assert told == ["10s", "0", "0", "0"]
    close()
    worker.close()


def test_the_bound_of_a_query_holds_through_pgbouncer_and_meets_nobody_else(urls, pgbouncer, tenant):
    pooled = pgbouncer(urls.app, default_pool_size=1).url
    bounded, unbounded = Database(pooled, connections=1, query_seconds=1), Database(pooled, connections=1)
    for _ in range(2):
        with pytest.raises(TookTooLong):
            bounded.read(tenant, "SELECT pg_sleep(30)")
        with pytest.raises(TookTooLong), bounded.transaction(tenant) as transaction:
            transaction.execute("SELECT pg_sleep(30)")
        assert bounded.read(tenant, "SELECT 1 AS one") == [{"one": 1}]
        assert len(unbounded.read(tenant, "SELECT pg_sleep(1.5)")) == 1
    bounded.close()
    unbounded.close()


def report(person, answers):
    """Asks for a report until there is a place for it."""
    while (answer := person.get("/analytics/leaderboard")).status_code == 429:
        time.sleep(0.05)
    answers.append(answer)


def test_a_tenant_has_only_so_many_long_operations_running(application, urls, acme, rival):
    with opened(application, long_operations=2) as client:
        rep, theirs = at(client, acme.rep), at(client, rival.rep)
        for person in (rep, theirs):
            person.makes("/accounts", {"name": "A"})
            assert person.get("/search", q="a").status_code == 200
            assert person.get("/analytics/leaderboard").status_code == 200
        answers = []
        with locked(urls, "deals"):
            running = [threading.Thread(target=report, args=(rep, answers)) for _ in range(2)]
            for each in running:
                each.start()
            deadline = time.monotonic() + 5
            while (refused := rep.get("/search", q="a")).status_code != 429 and time.monotonic() < deadline:
                time.sleep(0.05)
            problem(refused, 429, "too_many_at_once")
            assert refused.headers["retry-after"] == "1"
            assert theirs.get("/search", q="a").status_code == 200
            assert rep.get("/auth/me").status_code == 200
        for each in running:
            each.join()
        assert [each.status_code for each in answers] == [200, 200]
        assert rep.get("/search", q="a").status_code == 200
