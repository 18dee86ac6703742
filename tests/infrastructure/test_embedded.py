"""The embedded servers: real ones, durable, never two on one directory, never left behind."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from infrastructure.embedded import EmbeddedPostgres, EmbeddedRedis
from infrastructure.embedded.directory import DirectoryInUse


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that the servers' account can reach, which pytest's `tmp_path` isn't for root."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        yield place


def test_postgres_keeps_what_was_committed_and_syncs_it(place: Path) -> None:
    with EmbeddedPostgres(place / "postgres") as server, psycopg.connect(server.superuser_url()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'Ä' AS letter")
    with EmbeddedPostgres(place / "postgres") as server, psycopg.connect(server.superuser_url()) as connection:
        row = connection.execute("SELECT lower(letter), current_setting('fsync') FROM kept").fetchone()
    assert row == ("ä", "on")


def test_postgres_lets_nobody_in_without_the_password(place: Path) -> None:
    with EmbeddedPostgres(place / "postgres", password="right") as server:
        wrong = server.superuser_url().replace("right", "wrong")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)


def test_a_directory_in_use_is_refused(place: Path) -> None:
    with EmbeddedPostgres(place / "postgres"), pytest.raises(DirectoryInUse):
        EmbeddedPostgres(place / "postgres").start()


def test_a_note_of_a_dead_server_with_a_reused_number_blocks_nothing(place: Path) -> None:
    with EmbeddedPostgres(place / "postgres"):
        pass
    (place / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{place}\n")
    with EmbeddedPostgres(place / "postgres") as server:
        assert server.running


def test_redis_keeps_what_was_written_behind_its_password(place: Path) -> None:
    for expected in (None, b"kept"):
        with EmbeddedRedis(place / "redis", password="secret") as server:
            client = redis.Redis.from_url(server.url())
            assert client.get("key") == expected
            client.set("key", "kept")
            client.close()
            stranger = redis.Redis(port=server.port, retry=Retry(NoBackoff(), 0))
            with pytest.raises(redis.exceptions.AuthenticationError):
                stranger.ping()
            stranger.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_the_servers_end_when_their_parent_is_killed(place: Path) -> None:
    code = """
import sys, time
from pathlib import Path
from infrastructure.embedded import EmbeddedPostgres, EmbeddedRedis
postgres, redis = EmbeddedPostgres(Path(sys.argv[1], "postgres")), EmbeddedRedis(Path(sys.argv[1], "redis"))
postgres.start(), redis.start()
print(postgres.pid, redis.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code, place], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        servers = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        assert len(servers) == 2
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(server.is_running() and server.status() != psutil.STATUS_ZOMBIE for server in servers):
        assert time.monotonic() < deadline, "a server lives on without its parent"
        time.sleep(0.05)
