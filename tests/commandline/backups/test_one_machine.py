"""A system of `clientforge up` comes back from its backup in another directory."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.commandline.backups.conftest import flip, only_backup
from tests.commandline.conftest import Run, done, refused


@pytest.fixture
def place(environment, aside: Path) -> Path:
    """A directory with the secrets of the lost system."""
    (aside / "clientforge.env").write_text(
        f"MASTER_KEY={environment['MASTER_KEY']}\nJWT_SECRET={environment['JWT_SECRET']}\n"
    )
    return aside


UNNAMED = {"DATABASE_URL": None, "DATABASE_OWNER_URL": None, "DATABASE_MONITOR_URL": None, "REDIS_URL": None}


@pytest.mark.timeout(300)
def test_a_system_on_one_machine_comes_back_and_goes_on(run: Run, companies, environment, place):
    done(run("backup", "create"))
    told = done(run("backup", "restore", "--into", str(place), "--rebuild", **UNNAMED))

    assert "Restored 14 events of 3 tenants" in told
    assert f"clientforge up --data-dir {place}" in told
    outside = {name: value for name, value in environment.items() if name not in UNNAMED}
    up = subprocess.Popen(
        [sys.executable, "-m", "api.commandline", "up", "--data-dir", str(place), "--port", "0"],
        env={**outside, "DEFAULT_TENANT": "acme"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 90
        while run("queue", "health", "--data-dir", str(place), **UNNAMED).returncode:
            assert up.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.5)
        listed = done(run("tenant", "list", "--data-dir", str(place), **UNNAMED))
        assert {line.split()[0] for line in listed.splitlines()} == {"acme", "globex"}
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(timeout=60)


def test_a_failed_restore_leaves_the_directory_as_it_was(run: Run, companies, environment, place):
    done(run("backup", "create"))
    flip(only_backup(environment) / "claims.copy.gz.age")
    before = (place / "clientforge.env").read_text().splitlines()

    assert "BROKEN" in refused(run("backup", "restore", "--into", str(place), **UNNAMED), 1)
    assert not (place / "postgres" / "PG_VERSION").exists()
    assert (place / "clientforge.env").read_text().splitlines()[-2:] == before


@pytest.fixture
def part(run: Run, companies, environment, tmp_path) -> Path:
    """The part with two files of a backup."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("one", "other"):
        (source / name).write_bytes(os.urandom(2_000_000))
    done(run("backup", "create", FILES_DIR=str(source)))
    return only_backup(environment) / "files.tar.gz.age"


def test_files_of_a_failed_restore_go_with_its_database(run: Run, part, place):
    command = ("backup", "restore", "--into", str(place))
    flip(part, -1)
    assert "BROKEN: files" in refused(run(*command, **UNNAMED), 1)
    assert not (place / "postgres" / "PG_VERSION").exists()
    assert not (place / "files").exists()

    flip(part, -1)
    assert "2 files;" in done(run(*command, **UNNAMED))
    assert {each.name for each in (place / "files").iterdir()} == {"one", "other"}


def test_a_restore_that_is_stopped_after_the_files_leaves_none_without_a_database(part, environment, place):
    """Elasticsearch takes the connection and never answers, so that the read models are not made before the signal."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with (place / "clientforge.env").open("a") as file:
            file.write(f"ELASTICSEARCH_URL=http://127.0.0.1:{silent.getsockname()[1]}\n")
        stopped = subprocess.Popen(
            [sys.executable, "-m", "api.commandline", "backup", "restore", "--into", str(place), "--rebuild"],
            env={name: value for name, value in environment.items() if name not in UNNAMED},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert stopped.stdout is not None
        assert "2 files;" in stopped.stdout.readline()
        assert len(list((place / "files").iterdir())) == 2
        stopped.send_signal(signal.SIGTERM)
    told = stopped.communicate(timeout=90)

    assert stopped.returncode == 128 + signal.SIGTERM, told
    assert not (place / "postgres" / "PG_VERSION").exists()
    assert not (place / "files").exists()


def test_a_new_system_needs_the_old_master_key_and_no_database(run: Run, place, tmp_path):
    assert "MASTER_KEY" in refused(run("backup", "restore", "--into", str(tmp_path / "nothing"), **UNNAMED), 2)
    (place / "postgres").mkdir()
    (place / "postgres" / "PG_VERSION").write_text("18")
    assert "holds a database" in refused(run("backup", "restore", "--into", str(place), **UNNAMED), 2)
