"""`backup verify`: whatever is done to a backup is found, without a database."""

import base64
import secrets
import shutil
import sys
from pathlib import Path

import psycopg
import pytest

from api.commandline import main
from infrastructure.backups.manifest import Signer
from tests.commandline.backups.conftest import erase, flip, named, only_backup, write_identity
from tests.commandline.conftest import Result, Run, done, refused


@pytest.fixture
def run(environment, monkeypatch, tmp_path, capfd) -> Run:
    """Runs a command in this process, which is quicker: there are many of them here."""

    def run(*arguments: str, **variables: str | None) -> Result:
        capfd.readouterr()
        with monkeypatch.context() as context:
            context.chdir(tmp_path)
            for name, value in {**environment, **variables}.items():
                context.delenv(name, raising=False) if value is None else context.setenv(name, value)
            context.setattr(sys, "argv", ["clientforge", *arguments])
            with pytest.raises(SystemExit) as ended:
                main()
        out, err = capfd.readouterr()
        return Result(arguments, int(ended.value.code or 0), out, err)

    return run


@pytest.fixture
def backup(run: Run, companies, environment) -> Path:
    done(run("backup", "create"))
    return only_backup(environment)


def test_a_good_backup_is_said_to_be_so_and_listed_as_verified(run: Run, backup):
    assert f"{backup.name}: 14 events of 3 tenants, no files, intact" in done(run("backup", "verify"))
    assert "0 min ago, intact" in done(run("backup", "list"))


@pytest.mark.parametrize("part", ["events", "tenant_heads", "credentials", "claims"])
def test_an_altered_part_is_found(run: Run, backup, part):
    flip(backup / f"{part}.copy.gz.age")

    told = refused(run("backup", "verify"), 1)
    assert f"BROKEN: {part}.copy.gz.age" in told
    assert "BROKEN" in done(run("backup", "list"))


@pytest.mark.parametrize("cut", [1, 20, 1000])
def test_a_part_that_was_cut_off_is_found(run: Run, backup, cut):
    part = backup / "events.copy.gz.age"
    part.write_bytes(part.read_bytes()[:-cut])

    assert "BROKEN: events.copy.gz.age: it is altered or cut off" in refused(run("backup", "verify"), 1)


def test_a_part_with_something_behind_it_is_found(run: Run, backup):
    with (backup / "principals.copy.gz.age").open("ab") as file:
        file.write(b"more")

    assert "BROKEN: principals.copy.gz.age" in refused(run("backup", "verify"), 1)


def test_a_missing_part_is_found(run: Run, backup):
    (backup / "claims.copy.gz.age").unlink()

    assert "BROKEN: claims.copy.gz.age: it is missing" in refused(run("backup", "verify"), 1)


def test_altered_keys_are_found(run: Run, backup):
    flip(backup.parent / "keys" / backup.name / "keys.subject_keys.copy.gz.age")

    assert "BROKEN: keys.subject_keys" in refused(run("backup", "verify"), 1)


def test_an_altered_manifest_is_found(run: Run, backup):
    manifest = backup / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"position":6', b'"position":5'))

    assert "BROKEN: manifest.json: it is altered" in refused(run("backup", "verify"), 1)
    assert "BROKEN: manifest.json" in done(run("backup", "list"))


def test_a_part_of_another_backup_is_found(run: Run, backup):
    """Whoever may write to the directory may even have sealed it for the same recipients."""
    done(run("backup", "create"))
    (newer,) = (each for each in backup.parent.glob("*Z") if each != backup)
    shutil.copy(backup / "credentials.copy.gz.age", newer / "credentials.copy.gz.age")

    assert "it is not the file that was written" in refused(run("backup", "verify", newer.name), 1)


def test_the_manifest_of_another_backup_is_found(run: Run, backup, companies):
    done(run("backup", "create"))
    (newer,) = (each for each in backup.parent.glob("*Z") if each != backup)
    shutil.copy(backup / "manifest.json", newer / "manifest.json")

    assert "it is that of another backup" in refused(run("backup", "verify", newer.name), 1)


def test_a_log_that_was_broken_when_it_was_backed_up_is_found(run: Run, companies, fresh_urls):
    tenant = companies[0].tenant.id
    with psycopg.connect(fresh_urls.superuser, autocommit=True) as connection:
        connection.execute(
            "UPDATE events SET occurred_at = occurred_at - interval '1 s' WHERE tenant_id = %s AND position = 2",
            (tenant,),
        )
    done(run("backup", "create"))

    assert f"the log of tenant {tenant} is broken at position 2: its fields" in refused(run("backup", "verify"), 1)


def test_a_log_that_lost_its_end_before_it_was_backed_up_is_found(run: Run, companies, fresh_urls):
    tenant = companies[0].tenant.id
    with psycopg.connect(fresh_urls.superuser, autocommit=True) as connection:
        connection.execute("DELETE FROM events WHERE tenant_id = %s AND position > 4", (tenant,))
    done(run("backup", "create"))

    assert f"the log of tenant {tenant} doesn't end where it ended" in refused(run("backup", "verify"), 1)


def test_another_private_key_opens_nothing(run: Run, backup, tmp_path):
    other = write_identity(tmp_path / "other")

    told = refused(run("backup", "verify", BACKUP_IDENTITY_FILE=str(other)), 1)
    assert "the key of BACKUP_IDENTITY doesn't open it" in told


def test_verifying_needs_a_private_key(run: Run, backup):
    assert "BACKUP_IDENTITY_FILE" in refused(run("backup", "verify", BACKUP_IDENTITY_FILE=None), 1)
    assert "AGE-SECRET-KEY" in refused(run("backup", "verify", BACKUP_IDENTITY_FILE=None, BACKUP_IDENTITY="abc"), 1)


def test_another_master_key_is_found(run: Run, backup):
    """Nobody could read personal data under it, so a restore would be in vain."""
    another = base64.b64encode(secrets.token_bytes(32)).decode()
    told = refused(run("backup", "verify", MASTER_KEY=another), 1)
    assert "under another MASTER_KEY" in told


def test_keys_that_the_master_key_does_not_open_are_found(run: Run, companies, fresh_urls, environment):
    with psycopg.connect(fresh_urls.superuser, autocommit=True) as connection:
        connection.execute(
            "UPDATE keys.subject_keys SET wrapped = sha512(wrapped) WHERE subject = %s", (companies[0].admin,)
        )
    done(run("backup", "create"))

    told = refused(run("backup", "verify"), 1)
    assert f"the key of subject {companies[0].admin} doesn't open under MASTER_KEY" in told


def test_data_are_not_taken_for_good_without_keys_as_new_as_they_are(run: Run, backup, environment, companies):
    kept = backup.parent / "keys" / backup.name
    done(run("backup", "create"))
    newer = max(backup.parent.glob("*Z"))
    for each in (backup.parent / "keys").glob("*Z"):
        shutil.rmtree(each)

    assert "No backup in" in refused(run("backup", "verify"), 1)
    assert kept.name < newer.name


def test_an_altered_list_of_subjects_is_found(run: Run, backup):
    flip(backup / "subjects")

    assert "subjects: it is altered" in refused(run("backup", "verify"), 1)


def test_keys_of_another_system_are_found(run: Run, backup, empty_urls):
    keys = backup.parent / "keys"
    shutil.rmtree(keys / backup.name)
    done(run("backup", "create", **named(empty_urls)))

    assert "the keys of 11 subjects at least are missing" in refused(run("backup", "verify", backup.name), 1)
    assert "0 events" in done(run("backup", "verify"))


def test_a_set_of_keys_is_not_taken_for_data(run: Run, backup):
    shutil.rmtree(backup)
    shutil.move(backup.parent / "keys" / backup.name, backup)
    shutil.copytree(backup, backup.parent / "keys" / backup.name)

    assert "it is that of another backup" in refused(run("backup", "verify"), 1)


def test_an_erased_person_breaks_nothing(run: Run, backup, companies, fresh_urls):
    erase(fresh_urls, companies[0].contacts[0])
    done(run("backup", "create"))

    assert "intact" in done(run("backup", "verify"))


def test_a_signer_of_another_key_signs_otherwise():
    assert Signer(bytes(32))._mac(b"text") != Signer(bytes(31) + b"1")._mac(b"text")
