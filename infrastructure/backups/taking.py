"""Takes a backup: the keys first, then the data, each a directory that is whole or not there."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

from msgspec import Struct

from infrastructure.backups.files import Archived, pack
from infrastructure.backups.flaws import BackupRefused
from infrastructure.backups.manifest import FILES, Manifest, Part
from infrastructure.backups.sealing import Recipient, sealed
from infrastructure.backups.shelf import Backup, Shelf
from infrastructure.backups.snapshot import Roles, Snapshot, snapshot
from infrastructure.backups.subjects import write_subjects
from infrastructure.backups.tables import KEPT, KEYS, Kept

Files: TypeAlias = frozenset[tuple[UUID, UUID]]
"""Tenant and id of each."""
Progress = Callable[[str, int], object]
"""Is told which part is at work, and how many rows of it are done."""


class Order(Struct, frozen=True, kw_only=True):
    """What a backup is made of and for whom: the database's roles, the directory of files (None: without them), and
    whose keys will open it."""

    roles: Roles
    files: Path | None
    recipients: Sequence[Recipient]
    release: str


class Taken(Struct, frozen=True, kw_only=True):
    """A backup that is on disk. `missing` are files (tenant, id) that the database counts, and whose bytes were not
    there."""

    backup: Backup
    data: Manifest
    keys: Manifest
    missing: Files = frozenset()


def take(order: Order, data: Shelf, keys: Shelf, progress: Progress = lambda *_: None) -> Taken:
    """Takes a backup. Whoever calls it holds both shelves. Raises BackupRefused where files are counted and their
    directory isn't there, psycopg.OperationalError, OSError."""
    with snapshot(order.roles) as seen:
        counted_files = _counted_files(order, seen)
        # In this order: data are never there without the keys to them.
        with _directory(keys, seen) as place:
            key_parts = _tables(order, seen, place, (KEYS,), progress)
            kept_keys = _manifest(order, seen, keys, key_parts, subjects=write_subjects(place, seen.subjects()))
            keys.finish(place, kept_keys)
        with _directory(data, seen) as place:
            parts = _tables(order, seen, place, KEPT, progress)
            missing = gone = Files()
            # Files come before the event that tells of them: what the snapshot tells of is there.
            if order.files is not None and order.files.is_dir():
                part, packed = _files(order, place, order.files)
                parts.append(part)
                missing, gone = _absent(order, counted_files - packed.ids)
            counted = {tenant: found for tenant in seen.heads if (found := seen.read_models(tenant))}
            needed = write_subjects(place, seen.subjects())
            kept = _manifest(
                order,
                seen,
                data,
                parts,
                subjects=needed,
                heads=seen.heads,
                read_models=counted,
                gone=sorted(gone),
            )
            return Taken(backup=data.finish(place, kept), data=kept, keys=kept_keys, missing=missing)


def _counted_files(order: Order, seen: Snapshot) -> Files:
    if order.files is None:
        return frozenset()
    counted = frozenset(seen.stored_files())
    if counted and not order.files.is_dir():
        raise BackupRefused(
            f"FILES_DIR ({order.files}) is not there, but should hold {len(counted):,} files. Mend it, or leave files "
            "out by --without-files."
        )
    return counted


def _absent(order: Order, absent: Files) -> tuple[Files, Files]:
    """Which of the files that were not found should be there still, and which were removed meanwhile."""
    if not absent:
        return absent, absent
    with snapshot(order.roles) as now:
        missing = absent & now.stored_files()
    return missing, absent - missing


@contextmanager
def _directory(shelf: Shelf, seen: Snapshot) -> Iterator[Path]:
    place = shelf.begin(seen.moment)
    try:
        yield place
    finally:  # unless it has its name by now
        shutil.rmtree(place, ignore_errors=True)


def _tables(order: Order, seen: Snapshot, place: Path, tables: Iterable[Kept], progress: Progress) -> list[Part]:
    return [_table(order, seen, place, each, progress) for each in tables]


def _table(order: Order, seen: Snapshot, place: Path, kept: Kept, progress: Progress) -> Part:
    with sealed(place / f"{kept.name}.copy.gz.age", order.recipients) as file:
        rows = seen.copy(kept, file.write, lambda done: progress(kept.name, done))
    return Part(name=kept.name, rows=rows, columns=seen.columns(kept), written=file.written)


def _files(order: Order, place: Path, directory: Path) -> tuple[Part, Archived]:
    with sealed(place / f"{FILES}.tar.gz.age", order.recipients) as file:
        packed = pack(directory, file)
    return Part(name=FILES, rows=packed.number, written=file.written), packed


def _manifest(order: Order, seen: Snapshot, shelf: Shelf, parts: Sequence[Part], **found: object) -> Manifest:
    return Manifest(
        kind=shelf.kind,
        release=order.release,
        taken_at=seen.moment,
        migrations=seen.migrations,
        parts=parts,
        **found,  # type: ignore[arg-type]
    )
