"""`backup create`, `list` and `keygen`."""

import os
import signal
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from infrastructure.backups.subjects import SUBJECTS
from infrastructure.upkeep import Upkeep
from tests.commandline.backups.conftest import add_contact, named, only_backup
from tests.commandline.conftest import Run, done, refused


def test_a_backup_is_made_beside_the_running_system_and_listed(run: Run, companies, environment):
    made = run("backup", "create")
    told = done(made)

    assert "events of 3 tenants, no files" in told
    assert "BACKUP_KEYS_DIR names a better place" in made.stderr
    path = only_backup(environment)
    assert str(path) in told
    listed = done(run("backup", "list"))
    assert path.name in listed
    assert "never" in listed
    assert f"Keys: of {path.name}, in {environment['BACKUP_DIR']}/keys" in listed


def test_nothing_in_a_backup_says_who_somebody_is(run: Run, companies, environment):
    done(run("backup", "create"))

    files = [each for each in Path(environment["BACKUP_DIR"]).rglob("*") if each.is_file()]
    assert len(files) > 9
    for each in files:
        content = each.read_bytes()
        assert not any(word in content for word in (b"Lovelace", b"home.example", b"company.example", b"argon2"))
        assert each.suffix == ".json" or each.name == SUBJECTS or content.startswith(b"age-encryption.org/v1\n")
        assert stat.S_IMODE(each.stat().st_mode) == 0o600


def test_keys_can_be_kept_elsewhere(run: Run, companies, environment, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    made = run("backup", "create", BACKUP_KEYS_DIR=str(elsewhere))
    done(made)
    assert "BACKUP_KEYS_DIR" not in made.stderr

    names = {each.name for each in Path(environment["BACKUP_DIR"]).rglob("*")}
    assert not any("key" in name and "idempotency" not in name and "api_keys" not in name for name in names)
    assert [each.name for each in elsewhere.rglob("*.age")] == ["keys.subject_keys.copy.gz.age"]


def test_a_backup_needs_a_place_and_somebody_who_can_open_it(run: Run):
    assert "BACKUP_DIR" in refused(run("backup", "create", BACKUP_DIR=None), 2)
    assert "backup keygen" in refused(run("backup", "create", BACKUP_RECIPIENTS=None), 1)
    assert "BACKUP_RECIPIENTS" in refused(run("backup", "create", BACKUP_RECIPIENTS="age1nobody"), 1)
    assert "DATABASE_OWNER_URL" in refused(run("backup", "create", DATABASE_OWNER_URL=None), 2)


def test_those_who_look_after_the_system_are_told_how_it_went(run: Run, companies, environment):
    with redis.Redis.from_url(environment["REDIS_URL"]) as client:
        upkeep = Upkeep(client, prefix=environment["REDIS_PREFIX"])
        done(run("backup", "create"))
        assert upkeep.last()["backup"].well
        refused(run("backup", "create", BACKUP_RECIPIENTS=None), 1)
        assert not upkeep.last()["backup"].well


def test_a_new_pair_of_keys_makes_backups_that_it_opens(run: Run, companies, tmp_path):
    made = done(run("backup", "keygen", "key.txt")).splitlines()[-1]
    name, _, recipient = made.partition("=")

    assert stat.S_IMODE((tmp_path / "key.txt").stat().st_mode) == 0o600
    done(run("backup", "create", **{name: recipient}))
    assert "intact" in done(run("backup", "verify", BACKUP_IDENTITY_FILE=str(tmp_path / "key.txt")))
    assert "key.txt" in refused(run("backup", "keygen", "key.txt"), 1)


def test_only_so_many_are_kept_and_old_keys_go(run: Run, companies, environment):
    for _ in range(3):
        done(run("backup", "create", "--keep", "2"))

    data = Path(environment["BACKUP_DIR"])
    assert len(list(data.glob("*Z"))) == 2
    assert len(list((data / "keys").glob("*Z"))) == 1


def test_what_is_kept_is_what_the_settings_say(run: Run, environment):
    data = Path(environment["BACKUP_DIR"])
    noon = datetime(2020, 3, 31, 12, tzinfo=UTC)
    for days in range(150):
        for moment in (noon - timedelta(days=days), noon - timedelta(days=days, hours=1)):
            (data / f"{moment:%Y%m%dT%H%M%S.%fZ}").mkdir(parents=True)
    wanted = {"NEWEST": "3", "DAILY": "5", "WEEKLY": "7", "MONTHLY": "4"}
    done(run("backup", "create", **{f"BACKUP_KEEP_{name}": number for name, number in wanted.items()}))

    kept = sorted((each.name[:11] for each in data.glob("2020*Z")), reverse=True)
    newest, daily = ["20200331T12", "20200331T11"], ["20200330T12", "20200329T12", "20200328T12"]
    weekly = ["20200322T12", "20200315T12", "20200308T12", "20200301T12"]
    assert kept == [*newest, *daily, *weekly, "20200229T12", "20200131T12"], "and of each the one taken now"
    assert len(list(data.glob("*Z"))) == len(kept) + 1


def test_keys_of_another_database_are_never_removed(run: Run, companies, environment, empty_urls):
    done(run("backup", "create"))
    mine = only_backup(environment)
    for _ in range(2):
        told = refused(run("backup", "create", "--keep", "1", **named(empty_urls)), 1)
        assert f"{mine.name} holds keys of 11 subjects that this database doesn't have" in told
        assert "intact" in done(run("backup", "verify"))

    assert f"intact; keys of {mine.name}" in done(run("backup", "verify", mine.name))
    with redis.Redis.from_url(environment["REDIS_URL"]) as client:
        assert not Upkeep(client, prefix=environment["REDIS_PREFIX"]).last()["backup"].well
    done(run("backup", "create"))
    assert [each.name for each in (mine.parent / "keys").glob("*Z") if each.name == mine.name] == []


def test_the_last_backup_that_was_found_good_is_never_removed(run: Run, companies, environment):
    done(run("backup", "create"))
    done(run("backup", "verify"))
    good = only_backup(environment)
    for _ in range(2):
        done(run("backup", "create", "--keep", "1"))

    assert good.is_dir()
    assert len(list(good.parent.glob("*Z"))) == 2


def test_a_backup_that_is_killed_leaves_nothing_that_looks_like_one(run: Run, companies, built, environment, tmp_path):
    directory = tmp_path / "files"
    directory.mkdir()
    with (directory / "large").open("wb") as file:
        for _ in range(200):
            file.write(os.urandom(1_000_000))
    command = [sys.executable, "-m", "api.commandline", "backup", "create"]
    chosen = {**environment, "FILES_DIR": str(directory)}
    killed = subprocess.Popen(command, env=chosen, cwd=tmp_path, stderr=subprocess.PIPE)
    data = Path(environment["BACKUP_DIR"])
    deadline = time.monotonic() + 60
    while not any(each.stat().st_size for each in data.glob(".unfinished-*/files.*")):
        assert killed.poll() is None, killed.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.communicate()

    assert list(data.glob(".unfinished-*"))
    assert "No backup" in done(run("backup", "list"))
    assert "No backup" in refused(run("backup", "verify"), 1)
    add_contact(built, companies[0].tenant, "katherine")
    done(run("backup", "create"))
    assert list(data.glob(".unfinished-*")) == []
    assert "intact" in done(run("backup", "verify"))


@pytest.mark.parametrize("option", ["--keep=0", "--keep=-1"])
def test_one_backup_at_least_is_kept(run: Run, option):
    assert "--keep" in refused(run("backup", "create", option), 2)
