"""Migrations: one process at a time, the others wait, and none leaves a lock behind or holds up who uses a table."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from infrastructure.migrate import applied, known, migrate, pending
from tests.fixtures import PASSWORDS
from tests.services.databases import Database, Postgres

_MIGRATE = """
import pathlib, sys
from infrastructure.migrate import migrate
migrate(sys.argv[1], directory=pathlib.Path(sys.argv[2]))
"""


@pytest.fixture
def empty(postgres: Postgres, migrated_template) -> Iterator[str]:
    """The owner's URL of a database without tables; the template's making has made the roles."""
    made = postgres.database()
    yield owner_url(made)
    postgres.drop(made)


def owner_url(made: Database) -> str:
    with psycopg.connect(made.superuser_url, autocommit=True) as connection:
        connection.execute(f"GRANT ALL ON DATABASE {made.name} TO clientforge_owner")
        connection.execute("GRANT ALL ON SCHEMA public TO clientforge_owner")
    return made.url("clientforge_owner", PASSWORDS["clientforge_owner"])


def written(directory: Path, **migrations: str) -> Path:
    """A directory with these migrations."""
    directory.mkdir()
    for name, text in migrations.items():
        (directory / f"{name}.sql").write_text(text)
    return directory


def process(url: str, directory: Path) -> "subprocess.Popen[bytes]":
    """A process that applies a directory's migrations."""
    return subprocess.Popen([sys.executable, "-c", _MIGRATE, url, str(directory)])


def until(connection: psycopg.Connection, query: str) -> None:
    """Waits until a query finds something."""
    deadline = time.monotonic() + 20
    while not connection.execute(query).fetchone():
        assert time.monotonic() < deadline
        time.sleep(0.02)


RUNS = (
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'"
    " AND query LIKE '%pg_sleep(%' AND pid <> pg_backend_pid()"
)


def test_what_is_pending_is_told_without_changing_anything(empty):
    assert [each.id for each in pending(empty)] == known()
    assert applied(empty) == []
    with psycopg.connect(empty) as connection:
        assert connection.execute("SELECT FROM pg_tables WHERE schemaname = 'public'").fetchall() == []

    assert migrate(empty) == known() == applied(empty)
    assert (pending(empty), migrate(empty)) == ([], [])


@pytest.mark.parametrize("role", ["clientforge_app", "clientforge_monitor"])
def test_every_role_sees_what_is_applied_also_where_an_older_release_did_not_let_it(empty, tmp_path, role):
    directory = written(tmp_path / "migrations", **{"0001-a": "CREATE TABLE things (n int);"})
    migrate(empty, directory=directory)
    with psycopg.connect(empty, autocommit=True) as owner:
        owner.execute(f"REVOKE ALL ON _yoyo_migration FROM {role}")

    assert migrate(empty, directory=directory) == []
    with psycopg.connect(empty) as owner:
        granted = owner.execute("SELECT has_table_privilege(%s, '_yoyo_migration', 'SELECT')", (role,)).fetchone()
    assert granted == (True,)


def test_a_process_waits_for_another_one_that_builds_an_index_concurrently(empty, tmp_path):
    # The index's building waits for all snapshots that are older: the waiting process must hold none.
    steps = (
        "-- transactional: false\nSELECT pg_sleep(2);\nCREATE INDEX CONCURRENTLY IF NOT EXISTS things_n ON things (n);"
    )
    directory = written(tmp_path / "migrations", **{"0001-a": "CREATE TABLE things (n int);", "0002-b": steps})
    first = process(empty, directory)
    waited = threading.Event()
    with psycopg.connect(empty, autocommit=True) as watching:
        until(watching, RUNS)
        assert migrate(empty, directory=directory, on_waiting=waited.set) == []

    assert first.wait(20) == 0
    assert waited.is_set()
    assert applied(empty) == ["0001-a", "0002-b"]


def test_a_killed_migration_stops_nobody(empty, tmp_path):
    stuck = written(tmp_path / "stuck", **{"0001-a": "CREATE TABLE things (n int);", "0002-b": "SELECT pg_sleep(600);"})
    with psycopg.connect(empty, autocommit=True) as watching:
        killed = process(empty, stuck)
        until(watching, RUNS)
        watching.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 1)")
        killed.kill()
        killed.wait(10)

        mended = written(tmp_path / "mended", **{"0002-b": "ALTER TABLE things ADD COLUMN m int;"})
        assert migrate(empty, directory=mended) == ["0002-b"]
        # The statement that the killed process has sent ends with it.
        deadline = time.monotonic() + 10
        while watching.execute(RUNS).fetchone():
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_a_migration_gives_up_before_it_holds_up_those_who_use_the_table(empty, tmp_path):
    migrate(empty, directory=written(tmp_path / "one", **{"0001-a": "CREATE TABLE things (n int);"}))
    altering = written(tmp_path / "two", **{"0002-b": "ALTER TABLE things ADD COLUMN m int;"})
    with psycopg.connect(empty) as reading:
        reading.execute("SELECT FROM things")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            migrate(empty, directory=altering)
        with psycopg.connect(empty) as other:
            other.execute("SET lock_timeout = '100ms'; SELECT FROM things")

    assert migrate(empty, directory=altering) == ["0002-b"]
