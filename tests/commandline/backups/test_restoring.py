"""`backup restore`: what comes back is what was there, all of it or nothing."""

import base64
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from msgspec import structs

from domain.kernel import Erased
from domain.permissions import Role
from infrastructure.api_keys import ApiKeys, KeyToken
from infrastructure.backups.manifest import Signer
from infrastructure.backups.tables import KEPT, KEYS
from infrastructure.key_limits import KeyRateLimits
from infrastructure.migrate import applied, migrate
from infrastructure.sessions import Principal
from infrastructure.verification import tenants_with_a_log, verify
from tests.commandline.backups.conftest import add_contact, erase, flip, logs_in, named, only_backup, write_identity
from tests.commandline.conftest import Run, done, refused


@pytest.fixture
def backup(run: Run, companies, environment):
    done(run("backup", "create"))
    return only_backup(environment)


def table_rows(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Everything that is backed up, as a superuser sees it."""
    with psycopg.connect(url) as connection:
        return {
            each.name: sorted(connection.execute(f"SELECT * FROM {each.name}").fetchall(), key=repr)
            for each in (*KEPT, KEYS)
        }


SPARE = {
    "import_sources",
    "api_keys",
    "idempotency_keys",
    "second_factors",
    "recovery_codes",
    "storage_use",
    "stored_files",
}
"""What the companies have none of."""


def counted(url: str) -> int:
    with psycopg.connect(url) as connection:
        return sum(
            connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0]
            for name in ("events", "tenant_heads", "keys.subject_keys", "credentials")
        )


def test_everything_that_cannot_be_made_again_comes_back_as_it_was(run: Run, backup, fresh_urls, empty_urls):
    before = table_rows(fresh_urls.superuser)
    told = done(run("backup", "restore", **named(empty_urls)))

    assert "Restored 14 events of 3 tenants" in told
    assert "Workers make the read models" in told
    assert table_rows(empty_urls.superuser) == before
    assert {name for name, rows in before.items() if not rows} == SPARE


def test_people_log_in_and_read_what_they_wrote_and_write_on(run: Run, backup, companies, empty_urls, over):
    done(run("backup", "restore", "--rebuild", **named(empty_urls)))

    with over(empty_urls) as restored:
        for company in companies:
            assert logs_in(restored, company)
            tenant = company.tenant.id
            names = {row["name_key"] for row in restored.database.read(tenant, _CONTACTS)}
            assert len(names) == 3
            assert any("ada" in (name or "") for name in names)
            (gone,) = restored.store.stream(tenant, f"contact-{company.erased}")
            assert isinstance(gone.event.personal, Erased)
            add_contact(restored, company.tenant, "katherine")
        assert all(verify(restored.database, id).flaw is None for id in tenants_with_a_log(empty_urls.monitor))


_CONTACTS = "SELECT name_key FROM contacts WHERE tenant_id = %(tenant)s"


def test_what_cannot_be_read_or_projected_is_told_after_a_restore(run: Run, companies, fresh_urls, empty_urls):
    with psycopg.connect(fresh_urls.superuser, autocommit=True) as connection:
        connection.execute("DELETE FROM keys.subject_keys WHERE subject = %s", (companies[0].contacts[0],))
    done(run("backup", "create"))
    failed = run("backup", "restore", "--rebuild", **named(empty_urls))

    told = refused(failed, 1)
    assert "Restored 14 events" in failed.stdout
    assert "Made the read models" not in failed.stdout
    assert "the keys of 1 subjects are missing" in told
    assert f"{companies[0].tenant.id}: contacts stopped at" in told
    assert counted(empty_urls.superuser) > 20


def test_row_level_security_is_as_forced_as_before(run: Run, backup, empty_urls, companies, over):
    done(run("backup", "restore", **named(empty_urls)))

    with psycopg.connect(empty_urls.superuser) as connection:
        bare = connection.execute(
            "SELECT relname FROM pg_class WHERE relrowsecurity AND NOT relforcerowsecurity"
        ).fetchall()
        forced = connection.execute("SELECT count(*) FROM pg_class WHERE relforcerowsecurity").fetchall()[0][0]
    assert bare == []
    assert forced > 15
    with over(empty_urls) as restored:
        mine, others = (company.tenant.id for company in companies)
        assert restored.database.read(mine, "SELECT 1 FROM events WHERE tenant_id = %(other)s", {"other": others}) == []
    with psycopg.connect(empty_urls.owner) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchall() == [(0,)]


def test_a_database_without_tables_gets_them(run: Run, backup, bare_urls, fresh_urls):
    done(run("backup", "restore", **named(bare_urls)))

    assert table_rows(bare_urls.superuser) == table_rows(fresh_urls.superuser)
    assert "up to date" in done(run("db", "migrate", **named(bare_urls)))


def test_a_backup_of_an_older_release_is_restored_and_brought_up_to_date(run: Run, backup, bare_urls, environment):
    """What a later migration makes of older rows happens to restored ones, too: here to all that was restored."""
    signer = Signer(base64.b64decode(environment["MASTER_KEY"]))
    manifest = signer.read(backup)
    older = [each for each in manifest.migrations if each != "0008-teams"]
    (backup / "manifest.json").write_bytes(signer.text(structs.replace(manifest, migrations=older)))

    done(run("backup", "restore", **named(bare_urls)))
    assert set(applied(bare_urls.owner)) == set(manifest.migrations)
    with psycopg.connect(bare_urls.owner) as connection:
        order = [row[0] for row in connection.execute(_ORDER)]
    assert order[-1] == "0008-teams"
    assert counted(bare_urls.superuser) > 20


_ORDER = "SELECT migration_id FROM _yoyo_migration ORDER BY applied_at_utc"


def test_a_backup_of_a_newer_release_is_refused(run: Run, backup, bare_urls, environment):
    signer = Signer(base64.b64decode(environment["MASTER_KEY"]))
    manifest = signer.read(backup)
    newer = [*manifest.migrations, "9999-the-future"]
    (backup / "manifest.json").write_bytes(signer.text(structs.replace(manifest, migrations=newer)))

    assert "9999-the-future" in refused(run("backup", "restore", **named(bare_urls)), 1)


def test_a_database_of_another_release_is_refused(run: Run, backup, bare_urls):
    migrate(bare_urls.owner, only=["0001-event-log"])

    assert "of another release" in refused(run("backup", "restore", **named(bare_urls)), 1)


def test_a_database_with_rows_is_refused_and_left_as_it_is(run: Run, backup, fresh_urls):
    before = table_rows(fresh_urls.superuser)

    assert "not empty: public.tenant_heads" in refused(run("backup", "restore"), 1)
    assert table_rows(fresh_urls.superuser) == before
    assert "3 tenants" in done(run("backup", "create"))


def test_an_altered_backup_leaves_the_database_empty(run: Run, backup, empty_urls):
    flip(backup / "api_keys.copy.gz.age")

    assert "BROKEN: api_keys" in refused(run("backup", "restore", **named(empty_urls)), 1)
    assert counted(empty_urls.superuser) == 0
    with psycopg.connect(empty_urls.superuser) as connection:
        assert connection.execute(
            "SELECT count(*) FROM pg_class WHERE relrowsecurity AND NOT relforcerowsecurity"
        ).fetchall() == [(0,)]


def test_another_private_key_restores_nothing(run: Run, backup, empty_urls, tmp_path):
    other = write_identity(tmp_path / "other")

    refused(run("backup", "restore", BACKUP_IDENTITY_FILE=str(other), **named(empty_urls)), 1)
    assert counted(empty_urls.superuser) == 0


def test_who_was_erased_after_the_backup_stays_erased(run: Run, backup, companies, fresh_urls, empty_urls, over):
    company = companies[0]
    erase(fresh_urls, company.contacts[0])
    erase(fresh_urls, company.admin)
    done(run("backup", "create"))
    done(run("backup", "restore", backup.name, **named(empty_urls)))

    with over(empty_urls) as restored:
        for stream in (f"contact-{company.contacts[0]}", f"user-{company.admin}"):
            event = restored.store.stream(company.tenant.id, stream)[0].event
            assert isinstance(event.personal, Erased)
        assert not isinstance(
            restored.store.stream(company.tenant.id, f"contact-{company.contacts[1]}")[0].event.personal, Erased
        )
        assert restored.database.read(company.tenant.id, "SELECT 1 FROM credentials WHERE tenant_id = %(tenant)s") == []
        assert logs_in(restored, companies[1])


def test_whom_a_recovery_to_a_point_in_time_brought_back_is_erased_again(run: Run, companies, fresh_urls, built):
    """A recovery of the whole server brings the keys of its time back, too."""
    tenant, person = companies[0].tenant.id, companies[0].contacts[0]
    with psycopg.connect(fresh_urls.superuser, autocommit=True) as connection:
        before = connection.execute("SELECT wrapped FROM keys.subject_keys WHERE subject = %s", (person,)).fetchall()
        erase(fresh_urls, person)
        done(run("backup", "create"))
        connection.execute(
            "UPDATE keys.subject_keys SET wrapped = %s, erased_at = NULL WHERE subject = %s", (before[0][0], person)
        )
    assert not isinstance(built.store.stream(tenant, f"contact-{person}")[0].event.personal, Erased)

    told = done(run("backup", "erase-again"))
    assert "Erased 1 of 3 again" in told
    assert "projections rebuild" in told
    assert isinstance(built.store.stream(tenant, f"contact-{person}")[0].event.personal, Erased)
    assert "Erased 0 of 3" in done(run("backup", "erase-again"))


def test_an_old_backup_opens_with_keys_that_came_later(run: Run, backup, companies, built, empty_urls, over):
    add_contact(built, companies[0].tenant, "katherine")
    done(run("backup", "create"))
    done(run("backup", "restore", backup.name, **named(empty_urls)))

    with over(empty_urls) as restored:
        assert restored.store.head(companies[0].tenant.id) == built.store.head(companies[0].tenant.id) - 1
        add_contact(restored, companies[0].tenant, "katherine")


def test_files_come_back_but_for_those_that_were_erased(run: Run, companies, tmp_path, empty_urls, bare_urls):
    """A file's name is sealed under a key of its own: here those of two people stand for it."""
    company = companies[0]
    source, target = tmp_path / "source", tmp_path / "target"
    kept, erased = (f"kept/{company.tenant.id}/00/{id}" for id in (company.contacts[0], company.erased))
    for each in (kept, erased):
        (source / each).parent.mkdir(parents=True, exist_ok=True)
        (source / each).write_text("bytes")
    assert "2 files" in done(run("backup", "create", FILES_DIR=str(source)))
    told = done(run("backup", "restore", FILES_DIR=str(target), **named(empty_urls)))

    assert "1 file;" in told
    assert (target / kept).read_text() == "bytes"
    assert not (target / erased).exists()
    assert "not empty" in refused(run("backup", "restore", FILES_DIR=str(target), **named(bare_urls)), 1)
    done(run("backup", "restore", "--without-files", FILES_DIR=str(target), **named(bare_urls)))


@pytest.fixture
def backup_with_files(run: Run, companies, environment, tmp_path) -> Path:
    """Bytes that don't get smaller: the first files are written before the last bytes of the backup are read."""
    kept = tmp_path / "source" / "kept" / str(companies[0].tenant.id) / "00"
    kept.mkdir(parents=True)
    for contact in companies[0].contacts:
        (kept / str(contact)).write_bytes(os.urandom(2_000_000))
    assert "2 files" in done(run("backup", "create", FILES_DIR=str(tmp_path / "source")))
    return only_backup(environment)


@pytest.mark.parametrize("there_already", [True, False])
def test_files_of_an_altered_backup_leave_nothing_and_the_intact_one_is_restored_afterwards(
    run: Run, backup_with_files, empty_urls, tmp_path, there_already
):
    target, part = tmp_path / "target", backup_with_files / "files.tar.gz.age"
    if there_already:
        target.mkdir()
    variables = {**named(empty_urls), "FILES_DIR": str(target)}
    flip(part, -1)

    assert "BROKEN: files" in refused(run("backup", "restore", **variables), 1)
    assert target.exists() == there_already
    assert list(target.rglob("*")) == []
    assert counted(empty_urls.superuser) == 0

    flip(part, -1)
    assert "2 files;" in done(run("backup", "restore", **variables))
    assert counted(empty_urls.superuser) > 20
    assert contents(target) == contents(tmp_path / "source")


def contents(directory: Path) -> dict[Path, bytes]:
    return {each.relative_to(directory): each.read_bytes() for each in directory.rglob("*") if each.is_file()}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_restore_that_is_stopped_among_the_files_leaves_nothing(
    backup_with_files, environment, empty_urls, tmp_path, how
):
    """The backup's last bytes are held back, through a pipe, until the signal has been sent."""
    target, part = tmp_path / "target", backup_with_files / "files.tar.gz.age"
    data = part.read_bytes()
    part.unlink()
    os.mkfifo(part)
    stopped = subprocess.Popen(
        [sys.executable, "-m", "api.commandline", "backup", "restore"],
        env={**environment, **named(empty_urls), "FILES_DIR": str(target)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with part.open("wb") as pipe:
        pipe.write(data[:-1_000_000])
        pipe.flush()
        deadline = time.monotonic() + 60
        while not any(each.is_file() for each in target.rglob("*")):
            assert stopped.poll() is None, stopped.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        stopped.send_signal(how)
    told = stopped.communicate(timeout=90)

    assert stopped.returncode == (130 if how == signal.SIGINT else 128 + how), told
    assert not target.exists()
    assert counted(empty_urls.superuser) == 0


STOPPED_AT_COMMIT = """
import sys, psycopg
from api.commandline import main
from infrastructure.backups import restoring

secured, commit = restoring._put_security_back, psycopg.Connection.commit

def committed(connection):
    commit(connection)
    raise KeyboardInterrupt

def last(*given):
    secured(*given)
    psycopg.Connection.commit = committed

restoring._put_security_back = last
sys.argv[1:] = ["backup", "restore"]
main()
"""


def test_rows_that_are_committed_have_their_files_also_when_that_is_stopped(
    backup_with_files, environment, empty_urls, tmp_path
):
    target = tmp_path / "target"
    stopped = subprocess.run(
        [sys.executable, "-c", STOPPED_AT_COMMIT],
        env={**environment, **named(empty_urls), "FILES_DIR": str(target)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert stopped.returncode == 130, stopped
    assert counted(empty_urls.superuser) > 20
    assert contents(target) == contents(tmp_path / "source")


def test_programs_get_in_by_their_keys(run: Run, companies, built, empty_urls, over):
    company = companies[0]
    logs_in(built, company)
    (row,) = built.database.read(company.tenant.id, "SELECT session_id FROM sessions WHERE tenant_id = %(tenant)s")
    owner = Principal(tenant=company.tenant.id, user=company.admin, session=row["session_id"], role=Role.ADMIN)
    _, text = ApiKeys(built.database).make(owner, "a program", None, None, KeyRateLimits())
    done(run("backup", "create"))
    done(run("backup", "restore", **named(empty_urls)))

    with over(empty_urls) as restored:
        found, _ = ApiKeys(restored.database).principal(KeyToken.read(text).claims)
        assert found.user == company.admin


def test_sessions_do_not_come_back(run: Run, companies, built, empty_urls):
    logs_in(built, companies[0])
    done(run("backup", "create"))
    done(run("backup", "restore", **named(empty_urls)))

    with psycopg.connect(empty_urls.superuser) as connection:
        assert connection.execute("SELECT count(*) FROM sessions").fetchall() == [(0,)]


def test_projections_begin_with_a_generation_that_no_store_has_seen(run: Run, backup, empty_urls):
    done(run("backup", "restore", **named(empty_urls)))

    with psycopg.connect(empty_urls.superuser) as connection:
        rows = connection.execute(
            "SELECT DISTINCT generation > 1000000, position, live, published = (projection <> 'search')"
            " FROM projection_checkpoints"
        ).fetchall()
    assert rows == [(True, 0, True, True)]
