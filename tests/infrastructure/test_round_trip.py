"""Statements in one round trip: their values and rows, their errors, and when they are prepared."""

import os
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from domain.kernel import NotFound
from infrastructure.postgres import Database, is_passing
from infrastructure.round_trip import Connection, ask, bound
from projections.contacts.directory import CONTACTS
from projections.pages import PageRequest
from projections.ports import StoreAway
from projections.viewer import Viewer
from tests.architecture.sources import ROOT

PREPARED = "SELECT count(*) AS prepared FROM pg_prepared_statements WHERE name LIKE 'clientforge%%'"


@pytest.fixture
def connection(fresh_urls):
    with Connection.connect(fresh_urls.owner, autocommit=True, prepare_threshold=None, row_factory=dict_row) as opened:
        yield opened


def run(connection, *statements, prepare_threshold=None):
    """What comes of SQL, or of pairs of SQL and values, that are asked together."""
    pairs = [each if isinstance(each, tuple) else (each, {}) for each in statements]
    connection.threshold = prepare_threshold
    return ask(connection, [bound(connection, *each) for each in pairs])


@pytest.mark.parametrize("prepare_threshold", [None, 0])
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uuid", UUID(int=7)),
        ("text", "it's 100 % \\ “quoted”"),
        ("bytea", b"\x00\xff"),
        ("bigint", 2**40),
        ("numeric", Decimal("1.10")),
        ("timestamptz", datetime(2026, 2, 28, 23, 59, tzinfo=UTC)),
        ("boolean", False),
        ("text[]", ["a", 'b"', ""]),
        ("uuid[]", [UUID(int=1), UUID(int=2)]),
        ("text", None),
    ],
)
def test_a_value_comes_back_as_it_was_sent(connection, kind, value, prepare_threshold):
    for placeholder in ("%(value)s", "%(value)b"):
        statement = (f"SELECT {placeholder}::{kind} AS value, {placeholder}::{kind} AS again", {"value": value})
        for _ in range(2):
            assert run(connection, statement, prepare_threshold=prepare_threshold) == [
                [{"value": value, "again": value}]
            ]


def test_statements_are_answered_in_their_order_those_without_rows_by_none(connection):
    answers = run(
        connection,
        "CREATE TEMPORARY TABLE kept (number integer)",
        ("INSERT INTO kept SELECT generate_series(1, %(last)s) RETURNING number", {"last": 2, "unused": object()}),
        "SELECT count(*) AS all, '5 %%' AS share FROM kept",
    )
    assert answers == [[], [{"number": 1}, {"number": 2}], [{"all": 2, "share": "5 %"}]]


def test_what_comes_behind_an_error_is_not_run_and_the_connection_goes_on(connection):
    run(connection, "CREATE TEMPORARY TABLE kept (number integer)")
    with pytest.raises(psycopg.errors.DivisionByZero):
        run(connection, "INSERT INTO kept VALUES (1)", "SELECT 1 / 0", "INSERT INTO kept VALUES (2)")
    assert run(connection, "SELECT number FROM kept") == [[]], "outside of a transaction all of it is undone"
    with pytest.raises(psycopg.errors.DivisionByZero):
        run(connection, "BEGIN", "INSERT INTO kept VALUES (1)", "SAVEPOINT here", "SELECT 1 / 0")
    run(connection, "ROLLBACK TO here", "INSERT INTO kept VALUES (2)", "COMMIT")
    assert run(connection, "SELECT number FROM kept ORDER BY number") == [[{"number": 1}, {"number": 2}]]


def test_a_value_that_cannot_be_sent_is_refused_before_anything_is(connection):
    with pytest.raises(psycopg.DataError):
        bound(connection, "SELECT %(value)s::text", {"value": "\0"})
    assert run(connection, "SELECT 1 AS one") == [[{"one": 1}]]


def test_more_may_be_sent_and_answered_than_any_buffer_holds(connection):
    text = "x" * 500_000
    answers = run(connection, *[("SELECT %(text)s || '' AS text", {"text": text})] * 60)
    assert [each[0]["text"] == text for each in answers] == [True] * 60


def test_other_threads_go_on_while_one_waits(connection):
    waiting = threading.Thread(target=run, args=(connection, "SELECT pg_sleep(3)"))
    started, longest = time.perf_counter(), 0.0
    waiting.start()
    while waiting.is_alive():
        before = time.perf_counter()
        time.sleep(0.001)
        longest = max(longest, time.perf_counter() - before)
    assert time.perf_counter() - started >= 3
    assert longest < 2


def test_a_connection_that_is_lost_meanwhile_says_so_and_is_closed(connection, fresh_urls):
    with psycopg.connect(fresh_urls.owner, autocommit=True) as other:
        ending = threading.Timer(0.3, other.execute, ("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid]))
        ending.start()
        with pytest.raises(psycopg.OperationalError):
            run(connection, "SELECT pg_sleep(60)", "SELECT 1")
        ending.join()
    with pytest.raises(psycopg.OperationalError):
        run(connection, "SELECT 1")


def test_what_comes_often_is_prepared_once_and_nothing_without_a_threshold(connection):
    own = f"SELECT '{uuid4()}' AS own, %(number)s::integer AS number"
    for number in range(5):
        assert run(connection, (own, {"number": number}))[0][0]["number"] == number
    assert run(connection, PREPARED) == [[{"prepared": 0}]]
    own = f"SELECT '{uuid4()}' AS own, %(number)s::integer AS number"
    for number in range(3):
        assert run(connection, (own, {"number": number}), prepare_threshold=2)[0][0]["number"] == number
        assert run(connection, PREPARED) == [[{"prepared": int(number == 2)}]]
    run(connection, (own, {"number": 7}), (own, {"number": 8}), prepare_threshold=2)
    assert run(connection, PREPARED) == [[{"prepared": 1}]]


def test_a_statement_that_failed_is_prepared_the_next_time(connection):
    own = f"SELECT '{uuid4()}' AS own, 1 / %(number)s::integer AS number"
    with pytest.raises(psycopg.errors.DivisionByZero):
        run(connection, (own, {"number": 0}), prepare_threshold=0)
    for _ in range(2):
        assert run(connection, (own, {"number": 1}), prepare_threshold=0)[0][0]["number"] == 1
    for _ in range(20):
        with pytest.raises(psycopg.errors.DivisionByZero):
            run(connection, (own, {"number": 0}), prepare_threshold=0)
    assert run(connection, PREPARED)[0][0]["prepared"] == 1, "nothing is prepared again because it failed"


def test_the_statements_that_filters_put_together_do_not_pile_up(connection):
    for number in range(300):
        statement = (f"SELECT {number} + %(none)s::integer AS filtered", {"none": 0})
        assert run(connection, statement, prepare_threshold=0) == [[{"filtered": number}]]
    prepared = run(connection, PREPARED)[0][0]["prepared"]
    assert 200 <= prepared <= 250


def test_only_what_is_read_by_a_key_is_prepared_since_the_plan_of_a_list_depends_on_its_values(fresh_urls):
    tenant = uuid4()
    with closing(Database(fresh_urls.app, connections=1, prepare_threshold=0)) as database:
        for _ in range(7):
            with pytest.raises(NotFound):
                CONTACTS.get(database, Viewer(tenant=tenant), uuid4())
            assert CONTACTS.page(database, Viewer(tenant=tenant), CONTACTS.filters(), PageRequest()).items == []
        prepared = database.read(tenant, "SELECT statement FROM pg_prepared_statements")
    about = [row["statement"] for row in prepared if "FROM contacts" in row["statement"]]
    assert len(about) == 1
    assert "LIMIT" not in about[0]


def test_reads_outlive_new_columns_and_a_server_that_has_lost_what_was_prepared(fresh_urls):
    tenant, grown = uuid4(), "SELECT grown.*, %(tenant)s IS NULL AS nobodys FROM grown"
    with (
        closing(Database(fresh_urls.owner, connections=8, prepare_threshold=0)) as database,
        ThreadPoolExecutor(8) as threads,
        psycopg.connect(fresh_urls.owner, autocommit=True) as owner,
    ):

        def read(_number: int) -> object:
            return database.read(tenant, f"{grown}, pg_sleep(0.02)", one_plan=True)[0]["number"]

        owner.execute("CREATE TABLE grown (number integer); INSERT INTO grown VALUES (1)")
        assert list(threads.map(read, range(100))) == [1] * 100
        assert database.connections().size == 8
        owner.execute("ALTER TABLE grown ADD COLUMN name text")
        assert list(threads.map(read, range(100))) == [1] * 100
        for _ in range(8):
            database.run(lambda connection: connection.execute("DEALLOCATE ALL"))
        assert list(threads.map(read, range(100))) == [1] * 100


def test_pgbouncers_clients_stay_when_its_idle_connections_are_ended_as_the_document_says(fresh_urls, pgbouncer):
    [ended] = re.findall(r"`(SELECT pg_terminate_backend[^`]+)`", (ROOT / "docs" / "scaling.md").read_text())
    own = "SELECT pg_backend_pid() AS server"
    with (
        closing(Database(pgbouncer(fresh_urls.app, default_pool_size=1).url, connections=1)) as database,
        psycopg.connect(fresh_urls.superuser, autocommit=True) as superuser,
    ):
        before = database.read(uuid4(), own)
        held = database.run(lambda connection: connection.pgconn.backend_pid)
        assert superuser.execute(f"{ended} AND datname = current_database()").fetchall() == [(True,)]
        time.sleep(0.5)  # until the pooler has noticed
        assert database.read(uuid4(), own) != before
        assert database.run(lambda connection: connection.pgconn.backend_pid) == held


@pytest.mark.parametrize(
    ("loss", "caught"),
    [
        ("ALTER TABLE grown ADD COLUMN name text", False),
        ("ALTER TABLE grown ADD COLUMN name text", True),
        ("DEALLOCATE ALL", False),
    ],
)
def test_a_transaction_that_meets_an_outdated_statement_fails_as_away_and_the_next_goes_on(fresh_urls, loss, caught):
    tenant, grown = uuid4(), "SELECT grown.*, %(tenant)s IS NULL AS nobodys FROM grown"
    with closing(Database(fresh_urls.owner, connections=1, prepare_threshold=0)) as database:
        database.run(lambda connection: connection.execute("CREATE TABLE grown (number integer)"))
        for _ in range(2):
            with database.transaction(tenant) as transaction:
                transaction.execute(grown)
        database.run(lambda connection: connection.execute(loss))
        if caught:  # as a projection's error is
            with database.transaction(tenant) as transaction:
                transaction.execute("SELECT 1")
                transaction.later("SAVEPOINT here")
                with pytest.raises(psycopg.Error):
                    transaction.execute(grown)
                transaction.later("ROLLBACK TO SAVEPOINT here")
        else:
            with pytest.raises(StoreAway), database.transaction(tenant) as transaction:
                transaction.execute(grown)
        with database.transaction(tenant) as transaction:
            assert transaction.execute(grown) == []


def test_an_error_of_the_commit_is_the_servers_own(connection):
    run(
        connection,
        "CREATE TABLE held (id integer PRIMARY KEY)",
        "CREATE TABLE holding (id integer REFERENCES held DEFERRABLE INITIALLY DEFERRED)",
    )
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        run(connection, "INSERT INTO holding VALUES (1)")
    assert run(connection, "SELECT id FROM holding") == [[]]


def test_a_transaction_that_fails_takes_nothing_from_the_next_one(fresh_urls):
    with closing(Database(fresh_urls.app, connections=1, prepare_threshold=0)) as database:
        for _ in range(8):
            database.ping()
            with pytest.raises(RuntimeError), database.transaction(uuid4()) as transaction:
                transaction.execute("SELECT %(tenant)s AS tenant")
                raise RuntimeError
            with database.transaction(tenant := uuid4()) as transaction:
                assert transaction.execute("SELECT %(tenant)s AS tenant") == [{"tenant": tenant}]


def test_what_the_server_can_never_do_is_no_outdated_statement(fresh_urls):
    never = "SELECT count(*), %(tenant)s IS NULL AS nobodys FROM tenant_heads FOR UPDATE"
    with closing(Database(fresh_urls.app, connections=1, prepare_threshold=0)) as database:
        with pytest.raises(psycopg.errors.FeatureNotSupported) as failure:
            database.read(uuid4(), never, one_plan=True)
        assert not is_passing(failure.value)


def test_nothing_runs_outside_of_a_transaction_that_could_not_begin(fresh_urls):
    with closing(Database(fresh_urls.owner, connections=1)) as database:
        database.run(lambda connection: connection.execute("CREATE TABLE noted (word text)"))
        database._opening[0] = "BEGIN ISOLATION LEVEL NONE"  # stands for a BEGIN that fails
        with pytest.raises(StoreAway), database.transaction(uuid4()) as transaction:
            with pytest.raises(psycopg.errors.SyntaxError):
                transaction.execute("SELECT 1")
            transaction.execute("INSERT INTO noted VALUES ('outside')")
        with psycopg.connect(fresh_urls.owner) as owner:
            assert owner.execute("SELECT count(*) FROM noted").fetchone() == (0,)


def test_what_is_to_run_later_runs_in_its_place_and_is_undone_with_the_rest(fresh_urls):
    tenant = uuid4()
    with closing(Database(fresh_urls.owner, connections=1)) as database:
        database.run(lambda connection: connection.execute("CREATE TABLE noted (number serial, word text)"))

        def words() -> list[str]:
            return [row["word"] for row in database.read(tenant, "SELECT word FROM noted ORDER BY number")]

        def note(word: str) -> tuple[str, dict[str, str]]:
            return "INSERT INTO noted (word) VALUES (%(word)s)", {"word": word}

        with database.transaction(tenant) as transaction:
            transaction.later(*note("first"))
            transaction.execute(*note("second"))
            transaction.later(*note("last"))
        assert words() == ["first", "second", "last"]
        with pytest.raises(RuntimeError), database.transaction(tenant) as transaction:
            transaction.execute(*note("never"))
            transaction.later(*note("neither"))
            raise RuntimeError
        with pytest.raises(psycopg.errors.UndefinedTable), database.transaction(tenant) as transaction:
            transaction.execute(*note("never"))
            transaction.later("DELETE FROM nowhere")
        assert words() == ["first", "second", "last"]


def test_a_server_that_is_gone_without_a_word_is_noticed(fresh_urls):
    def waits(connection: Connection) -> list[int]:
        with socket.socket(fileno=os.dup(connection.fileno())) as end:
            options = (socket.TCP_USER_TIMEOUT, socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            return [end.getsockopt(socket.IPPROTO_TCP, option) for option in options]

    with closing(Database(fresh_urls.app, connections=1)) as database:
        milliseconds, idle, interval, count = database.run(waits)
    assert 0 < milliseconds <= 30_000
    assert idle + interval * count <= 30
