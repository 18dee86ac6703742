"""`dr drill`: a recovery is rehearsed, and what it finds counts."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import redis
from psycopg import sql

from infrastructure.backups.scratch_directory import remove_leftovers
from infrastructure.upkeep import Upkeep
from tests.commandline.backups.conftest import add_contact, flip, only_backup
from tests.commandline.conftest import Run, done, refused


@pytest.fixture
def backup(run: Run, companies, environment) -> Path:
    done(run("backup", "create"))
    return only_backup(environment)


def last_drill(environment) -> bool:
    with redis.Redis.from_url(environment["REDIS_URL"]) as client:
        return Upkeep(client, prefix=environment["REDIS_PREFIX"]).last()["recovery_drill"].well


def test_a_drill_restores_aside_and_finds_the_same(run: Run, backup, environment, aside):
    told = done(run("dr", "drill", TMPDIR=str(aside)))

    assert f"Restored {backup.name}: 14 events of 3 tenants, chains verified" in told
    # Three logs, and eleven tables of read models of each of three tenants.
    assert "Compared 36 counts with the source: 0 differences" in told
    assert "RPO 0 s: a loss now would take no event" in told
    assert "RTO " in told
    assert last_drill(environment)
    assert "0 min ago, intact" in done(run("backup", "list"))
    assert list(aside.iterdir()) == []


def test_a_drill_on_another_server_leaves_nothing_there(run: Run, backup, environment, postgres, built, companies):
    add_contact(built, companies[1].tenant, "katherine")
    told = done(run("dr", "drill", DRILL_SERVER_URL=postgres.superuser_url))

    assert "0 differences" in told
    assert "a loss now would take 1 events of 1 tenants" in told
    with psycopg.connect(postgres.superuser_url) as connection:
        assert connection.execute("SELECT datname FROM pg_database WHERE datname LIKE '%drill%'").fetchall() == []
    assert "intact" in done(run("events", "verify", "--tenant", "acme"))  # the roles have their passwords still


def test_a_drill_with_an_altered_backup_fails_and_is_noted(run: Run, backup, environment, postgres):
    flip(backup / "events.copy.gz.age")

    assert "BROKEN: events" in refused(run("dr", "drill", DRILL_SERVER_URL=postgres.superuser_url), 1)
    assert not last_drill(environment)
    with psycopg.connect(postgres.superuser_url) as connection:
        assert connection.execute("SELECT datname FROM pg_database WHERE datname LIKE '%drill%'").fetchall() == []


def test_a_source_that_is_another_log_than_the_backup_is_found(
    run: Run, backup, environment, companies, fresh_urls, postgres
):
    tenant = companies[0].tenant.id
    with psycopg.connect(fresh_urls.superuser, autocommit=True) as connection:
        connection.execute("UPDATE events SET chain_hash = sha256('forged') WHERE tenant_id = %s", (tenant,))

    failed = run("dr", "drill", DRILL_SERVER_URL=postgres.superuser_url)
    assert failed.returncode == 1
    assert f"DIFFERENT: {tenant}: up to 6, the source has another log than the backup" in failed.stdout
    assert "1 differences" in failed.stdout
    assert not last_drill(environment)


def test_a_read_model_that_has_lost_rows_is_found(run: Run, companies, fresh_urls, postgres):
    tenant = companies[0].tenant.id
    with psycopg.connect(fresh_urls.superuser, autocommit=True) as connection:
        connection.execute("DELETE FROM contacts WHERE tenant_id = %s AND id = %s", (tenant, companies[0].contacts[0]))
    done(run("backup", "create"))

    failed = run("dr", "drill", DRILL_SERVER_URL=postgres.superuser_url)
    assert failed.returncode == 1
    assert f"DIFFERENT: {tenant}: contacts has 3 rows instead of 2" in failed.stdout


def test_a_log_that_cannot_be_projected_is_found(run: Run, companies, fresh_urls, postgres):
    """Its key is gone, and nobody erased it: every byte is as it was written, and yet nobody could work with it."""
    lost = companies[0].contacts[0]
    with psycopg.connect(fresh_urls.superuser, autocommit=True) as connection:
        connection.execute("DELETE FROM keys.subject_keys WHERE subject = %s", (lost,))
    done(run("backup", "create"))
    told = "the keys of 1 subjects are missing, and nobody erased them"
    assert told in refused(run("backup", "verify"), 1)

    failed = run("dr", "drill", DRILL_SERVER_URL=postgres.superuser_url)
    assert failed.returncode == 1
    assert f"DIFFERENT: {told}" in failed.stdout
    assert "contacts stopped at" in failed.stdout
    assert " rows instead of " not in failed.stdout


def test_files_whose_bytes_are_missing_are_found(run: Run, companies, fresh_urls, postgres, tmp_path):
    """As where a volume isn't mounted: its directory is empty."""
    with psycopg.connect(fresh_urls.superuser, autocommit=True) as connection:
        tenant, contact = companies[0].tenant.id, companies[0].contacts[0]
        connection.execute("INSERT INTO stored_files VALUES (%s, %s, 'contact', %s, 5)", (tenant, uuid4(), contact))
    unmounted = tmp_path / "unmounted"
    assert "should hold 1 files" in refused(run("backup", "create", FILES_DIR=str(unmounted)), 1)
    unmounted.mkdir()
    assert "1 files are not in" in refused(run("backup", "create", FILES_DIR=str(unmounted)), 1)

    told = "the bytes of 1 files are missing"
    assert told in refused(run("backup", "verify"), 1)
    assert f"DIFFERENT: {told}" in run("dr", "drill", DRILL_SERVER_URL=postgres.superuser_url).stdout
    done(run("backup", "create", "--without-files"))
    assert "no files, intact" in done(run("backup", "verify"))


@pytest.fixture
def amid(environment, aside) -> Iterator[subprocess.Popen[str]]:
    """A drill that is at it: its server has been started."""
    command = [sys.executable, "-m", "api.commandline", "dr", "drill"]
    chosen = {**environment, "TMPDIR": str(aside)}
    with subprocess.Popen(command, env=chosen, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as drill:
        deadline = time.monotonic() + 60
        while not list(aside.glob("clientforge-drill-*/postgres/postmaster.pid")):
            assert drill.poll() is None, drill.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield drill
        drill.kill()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_a_drill_that_is_stopped_leaves_nothing_behind(backup, amid, aside, how):
    amid.send_signal(how)
    amid.communicate(timeout=60)

    assert amid.returncode == 128 + how
    assert list(aside.iterdir()) == []


def test_what_a_killed_drill_has_left_the_next_one_removes(run: Run, backup, amid, aside):
    others = aside / "clientforge-of-somebody"
    others.mkdir()
    (aside / "clientforge-drill-elsewher").symlink_to(others)
    amid.kill()
    amid.communicate()
    assert len(list(aside.glob("clientforge-drill-*/postgres"))) == 1

    done(run("dr", "drill", TMPDIR=str(aside)))
    assert {each.name for each in aside.iterdir()} == {"clientforge-of-somebody", "clientforge-drill-elsewher"}


def test_what_a_killed_drill_has_left_on_a_server_the_next_one_there_removes(run: Run, backup, postgres):
    left, used, others = (f"clientforge_drill_{name}" for name in ("0123456789ab", "ba9876543210", "of_somebody"))
    with psycopg.connect(postgres.superuser_url, autocommit=True) as connection:
        for each in (left, used, others):
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(each)))
        try:
            with psycopg.connect(f"{postgres.superuser_url.rsplit('/', 1)[0]}/{used}"):
                done(run("dr", "drill", DRILL_SERVER_URL=postgres.superuser_url))
            there = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE '%drill%'").fetchall()
        finally:
            for each in (left, used, others):
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(each)))
    assert {row[0] for row in there} == {used, others}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a directory another user's")
def test_what_another_user_has_left_stays(aside, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(aside))
    theirs, ours = (aside / f"clientforge-drill-{name}" for name in ("theirs__", "ours____"))
    for each in (theirs, ours):
        (each / "postgres").mkdir(parents=True)
    os.chown(theirs, 12345, 12345)

    remove_leftovers()
    assert list(aside.iterdir()) == [theirs]


def test_two_drills_at_once_leave_each_other_alone(run: Run, backup, amid, aside):
    assert amid.stderr is not None
    assert amid.stderr.readline() == "Restoring\n"
    amid.send_signal(signal.SIGSTOP)
    (directory,) = aside.iterdir()

    assert "0 differences" in done(run("dr", "drill", TMPDIR=str(aside)))
    assert list(aside.iterdir()) == [directory]
    amid.send_signal(signal.SIGCONT)
    assert "0 differences" in amid.communicate(timeout=60)[0]
    assert amid.returncode == 0
    assert list(aside.iterdir()) == []
