"""The parts of backups: what they hold, how they are sealed, what is kept, and what one moment shows."""

import io
import os
import random
import resource
import struct
import tarfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pyrage
import pytest
from msgspec import structs
from uuid_utils.compat import uuid7

from infrastructure.backups import files
from infrastructure.backups.copying import HEADER, TRAILER, rows
from infrastructure.backups.flaws import BackupBroken, BackupRefused
from infrastructure.backups.manifest import Signer
from infrastructure.backups.placing import FilesPlace, placed
from infrastructure.backups.reading import Nowhere, Reader, choose
from infrastructure.backups.retention import Keep
from infrastructure.backups.sealing import opened, sealed
from infrastructure.backups.shelf import Shelf
from infrastructure.backups.snapshot import Roles
from infrastructure.backups.tables import KEPT, KEYS, LEFT_OUT, OF_MIGRATIONS
from infrastructure.backups.taking import Order, take
from infrastructure.embedded.directory import DirectoryInUse
from infrastructure.keys import Wrapping
from infrastructure.postgres import Database
from infrastructure.storage_ledger import PostgresLedger
from tests.fixtures import event_store
from tests.infrastructure.appends import EVENT, a_stream, append, change

KEY = bytes(range(32))
IDENTITY = pyrage.x25519.Identity.generate()
RECIPIENTS = [IDENTITY.to_public()]
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


def roles(urls) -> Roles:
    return Roles(app=urls.app, monitor=urls.monitor, owner=urls.owner)


def shelves(root: Path) -> tuple[Shelf, Shelf]:
    signer = Signer(KEY)
    return Shelf(root / "data", "data", signer), Shelf(root / "keys", "keys", signer)


def order(urls, directory: Path | None = None) -> Order:
    return Order(roles=roles(urls), files=directory, recipients=RECIPIENTS, release="1")


def test_every_table_is_backed_up_or_left_out_for_a_reason(fresh_urls):
    with psycopg.connect(fresh_urls.superuser) as connection:
        found = connection.execute(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_%'"
            " AND c.relkind IN ('r', 'p')"
        )
        catalogue = {row[0] for row in found}
    kept = {each.name for each in (*KEPT, KEYS)}

    assert catalogue - kept - LEFT_OUT.keys() - OF_MIGRATIONS == set(), "say in infrastructure/backups/tables.py"
    assert kept & LEFT_OUT.keys() == set()
    assert kept <= catalogue
    assert LEFT_OUT.keys() <= catalogue


def test_what_is_sealed_comes_back(tmp_path):
    content = os.urandom(3_000_000) + bytes(1_000_000)
    with sealed(tmp_path / "part", RECIPIENTS) as file:
        for start in range(0, len(content), 70_001):
            file.write(content[start : start + 70_001])

    assert content[:100] not in (tmp_path / "part").read_bytes()
    with opened(tmp_path / "part", file.written, [IDENTITY]) as again:
        assert again.read() == content


@pytest.mark.parametrize("at", [10, 30, 100, 300, 1_000, 500_000, 999_000])
def test_whatever_byte_is_altered_it_is_found(tmp_path, at):
    with sealed(tmp_path / "part", RECIPIENTS) as file:
        file.write(os.urandom(1_000_000))
    data = bytearray((tmp_path / "part").read_bytes())
    data[at] ^= 4
    (tmp_path / "part").write_bytes(data)

    with pytest.raises(BackupBroken, match="part"), opened(tmp_path / "part", file.written, [IDENTITY]) as again:
        again.read()


def test_who_stops_reading_is_told_why_and_nothing_hangs(tmp_path):
    with sealed(tmp_path / "part", RECIPIENTS) as file:
        file.write(os.urandom(5_000_000))

    with (
        pytest.raises(ValueError, match="enough"),
        opened(tmp_path / "part", file.written, [IDENTITY]) as again,
    ):
        again.read(10)
        raise ValueError("enough")
    with (
        pytest.raises(BackupBroken, match="more than belongs"),
        opened(tmp_path / "part", file.written, [IDENTITY]) as again,
    ):
        again.read(10)


def test_a_disk_that_takes_no_more_is_told(tmp_path):
    """As a full one is: to the thread that writes, which only age sees."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"), sealed(tmp_path / "part", RECIPIENTS) as file:
            for _ in range(100):
                file.write(os.urandom(1_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def table(*values: tuple[bytes | None, ...]) -> bytes:
    body = b"".join(
        struct.pack("!h", len(row))
        + b"".join(struct.pack("!i", -1 if each is None else len(each)) + (each or b"") for each in row)
        for row in values
    )
    return HEADER + body + TRAILER


def test_rows_are_read_with_their_bytes():
    content = table((b"a", None), (b"", b"bc"))
    read = list(rows(io.BytesIO(content)))

    assert [fields for _, fields in read] == [[b"a", None], [b"", b"bc"]]
    assert HEADER + b"".join(raw for raw, _ in read) + TRAILER == content


@pytest.mark.parametrize("size", range(len(table((b"abc", None)))))
def test_rows_that_end_in_the_midst_are_found(size):
    with pytest.raises(BackupBroken):
        list(rows(io.BytesIO(table((b"abc", None))[:size])))


@pytest.mark.parametrize("head", [b"\x00\x01\x7f\xff\xff\xff", b"\x00\x01\x40\x00\x00\x01"])
def test_a_row_of_any_length_is_not_believed(head):
    with pytest.raises(BackupBroken):
        list(rows(io.BytesIO(HEADER + head)))


def hourly(number: int) -> list[datetime]:
    return [NOW - timedelta(hours=hours) for hours in range(number)]


def test_the_newest_and_the_last_of_days_weeks_and_months_are_kept():
    kept = Keep(newest=2, daily=3, weekly=2, monthly=3).of(hourly(24 * 120))

    assert sorted(kept, reverse=True) == [
        NOW,
        NOW - timedelta(hours=1),
        datetime(2026, 3, 30, 23, tzinfo=UTC),
        datetime(2026, 3, 29, 23, tzinfo=UTC),  # also the last of its week, which ends on a Sunday
        datetime(2026, 2, 28, 23, tzinfo=UTC),
        datetime(2026, 1, 31, 23, tzinfo=UTC),
    ]


def test_the_newest_is_always_kept():
    assert Keep(newest=0).of(hourly(3)) == {NOW}
    assert Keep(newest=1, daily=7).of([]) == set()


@pytest.mark.parametrize("flaws", [(None, "broken", "broken"), (None, "broken", ...), (..., "broken", ...)])
def test_whatever_is_thinned_out_one_that_is_not_known_to_be_broken_stays(urls, tmp_path, flaws):
    data, keys = shelves(tmp_path)
    with data.held(), keys.held():
        for flaw in flaws:
            backup = take(order(urls), data, keys).backup
            if flaw is not ...:
                backup.note(flaw)
        data.thin_out(Keep(newest=1))

    verdicts = [each.verdict and each.verdict.flaw for each in data.backups()]
    assert len(verdicts) >= (2 if flaws[2] == "broken" else 1)
    assert any(verdict is None for verdict in verdicts)


def test_one_backup_is_taken_at_a_time(tmp_path):
    data, _ = shelves(tmp_path)
    other = Shelf(data.root, "data", Signer(KEY))
    with data.held(), pytest.raises(DirectoryInUse), other.held():
        pass


def test_a_backup_that_fails_leaves_nothing(urls, tmp_path):
    data, keys = shelves(tmp_path)
    broken = structs.replace(order(urls), recipients=["nobody"])
    with data.held(), keys.held(), pytest.raises(Exception, match=r"(?i)recipient"):
        take(broken, data, keys)

    assert list(data.root.iterdir()) == list(keys.root.iterdir()) == []


def test_a_backup_shows_one_moment_of_all_tenants_while_they_work(fresh_urls, tmp_path):
    """Were tables read one after the other, heads, events and keys would be of different moments."""
    database = Database(fresh_urls.app)
    store = event_store(database)
    tenants = [uuid7() for _ in range(8)]
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            store.append(random.choice(tenants), append(change(a_stream(), 0, EVENT, EVENT)))

    for tenant in tenants:
        store.append(tenant, append(change(a_stream())))
    workers = [threading.Thread(target=work) for _ in range(3)]
    for each in workers:
        each.start()
    data, keys = shelves(tmp_path)
    try:
        for _ in range(3):
            with data.held(), keys.held():
                taken = take(order(fresh_urls), data, keys)
            Reader([IDENTITY], Wrapping(KEY)).read(choose(data, keys, taken.backup.name), Nowhere())
    finally:
        stop.set()
        for each in workers:
            each.join()
        database.close()

    assert taken.data.events > 8


def test_files_are_packed_and_come_back_without_those_that_were_erased(tmp_path):
    tenant, kept, erased = uuid4(), uuid4(), uuid4()
    source, target = tmp_path / "source", tmp_path / "target"
    for place, id in (("kept", kept), ("kept", erased), ("pending", uuid4())):
        path = source / place / str(tenant) / str(id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"bytes of {id}".encode() * 10_000)
    (source / "note").write_text("at the top")
    (source / "link").symlink_to("/etc/passwd")
    with sealed(tmp_path / "part", RECIPIENTS) as file:
        assert files.pack(source, file).number == 4

    with opened(tmp_path / "part", file.written, [IDENTITY]) as archive:
        unpacked = files.unpack(archive, FilesPlace(target), {(tenant, erased)})
    assert (unpacked.number, unpacked.written) == (4, 3)
    found = {each.relative_to(target) for each in target.rglob("*") if each.is_file()}
    assert Path("kept", str(tenant), str(erased)) not in found
    assert len(found) == 3
    assert (target / "kept" / str(tenant) / str(kept)).read_bytes() == f"bytes of {kept}".encode() * 10_000
    with pytest.raises(BackupRefused, match="not empty"), placed(target):
        pass
    assert len(list(target.rglob("*"))) > 3


def test_what_fails_removes_the_files_that_it_wrote_and_no_others(tmp_path):
    target = tmp_path / "new" / "files"
    with pytest.raises(FileExistsError), placed(target) as place:
        assert place is not None
        place.write(Path("kept", "mine"), io.BytesIO(b"1"))
        place.write(Path("pending", "mine"), io.BytesIO(b"1"))
        (target / "kept" / "theirs").write_bytes(b"2")
        place.write(Path("kept", "theirs"), io.BytesIO(b"1"))

    assert [each for each in tmp_path.rglob("*") if each.is_file()] == [target / "kept" / "theirs"]
    assert not (target / "pending").exists()
    assert (target / "kept" / "theirs").read_bytes() == b"2"


@pytest.mark.parametrize("gone", [True, False])
def test_kept_files_go_with_a_database_that_goes_and_stay_otherwise(tmp_path, gone):
    with pytest.raises(KeyboardInterrupt), placed(tmp_path, gone_with_database=gone) as place:
        assert place is not None
        place.write(Path("kept", "file"), io.BytesIO(b"1"))
        place.keep()
        raise KeyboardInterrupt
    assert (tmp_path / "kept" / "file").exists() == (not gone)


@pytest.mark.parametrize("name", ["/etc/cron.d/evil", "../evil", "a/../../evil"])
def test_no_file_is_written_elsewhere(tmp_path, name):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    buffer.seek(0)

    with pytest.raises(BackupBroken, match="elsewhere"):
        files.unpack(buffer, FilesPlace(tmp_path / "target"), set())


def test_files_are_part_of_a_backup_and_counted(fresh_urls, tmp_path):
    directory = tmp_path / "files"
    directory.mkdir()
    (directory / "one").write_bytes(b"1")
    data, keys = shelves(tmp_path)
    with data.held(), keys.held():
        assert take(order(fresh_urls, directory), data, keys).data.files == 1
        assert take(order(fresh_urls, tmp_path / "missing"), data, keys).data.files is None


def count_file(urls, tenant, file) -> None:
    with psycopg.connect(urls.superuser, autocommit=True) as connection:
        connection.execute("INSERT INTO stored_files VALUES (%s, %s, 'deal', %s, 1)", (tenant, file, uuid4()))


def test_files_that_are_counted_and_not_there_are_missing(fresh_urls, tmp_path):
    tenant, there, lost, removed = uuid7(), uuid4(), uuid4(), uuid4()
    database = Database(fresh_urls.app)
    event_store(database).append(tenant, append(change(a_stream())))
    for each in (there, lost, removed):
        count_file(fresh_urls, tenant, each)
    directory = tmp_path / "files"
    (directory / "kept" / str(tenant)).mkdir(parents=True)
    (directory / "kept" / str(tenant) / str(there)).write_bytes(b"1")

    def remove_one(part: str, _: int) -> None:
        if part == "stored_files":
            ledger.release(tenant, removed)

    ledger = PostgresLedger(database)
    data, keys = shelves(tmp_path)
    with data.held(), keys.held():
        taken = take(order(fresh_urls, directory), data, keys, remove_one)
        assert taken.missing == {(tenant, lost)}
        assert list(taken.data.gone) == [(tenant, removed)]
        found = Reader([IDENTITY], Wrapping(KEY)).read(choose(data, keys, None), Nowhere())
        assert found.lost == ["the bytes of 1 files are missing, and nobody erased them"]
        with pytest.raises(BackupRefused, match="should hold 2 files"):
            take(order(fresh_urls, tmp_path / "missing"), data, keys)
        assert take(order(fresh_urls), data, keys).missing == set()
    database.close()
