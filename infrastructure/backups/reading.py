"""Goes through a backup from end to end: every byte, every row, every link. What is restored is what was checked."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from infrastructure.backups.copying import HEADER, TRAILER, rows
from infrastructure.backups.files import Archived, unpack
from infrastructure.backups.flaws import BackupBroken, BackupRefused
from infrastructure.backups.following import Found, follower
from infrastructure.backups.manifest import FILES, Manifest, Part
from infrastructure.backups.placing import FilesPlace
from infrastructure.backups.sealing import Identity, opened
from infrastructure.backups.shelf import Backup, Shelf
from infrastructure.backups.subjects import lacking
from infrastructure.backups.tables import KEPT, KEYS
from infrastructure.keys import Wrapping

Write = Callable[[bytes], object]
Progress = Callable[[str, int], object]
_TOLD_EVERY = 1000


class Sink(Protocol):
    """Where rows go."""

    def table(self, part: Part) -> AbstractContextManager[Write]:
        """Takes a table as COPY wrote it, header and trailer included."""


class Nowhere:
    """A sink of what is only checked."""

    def table(self, part: Part) -> AbstractContextManager[Write]:
        """Takes it, and forgets it."""
        return nullcontext(len)


class Set(Struct, frozen=True, kw_only=True):
    """A backup and the newest keys that belong to it, with what they say of themselves."""

    data: Backup
    data_manifest: Manifest
    keys: Backup
    keys_manifest: Manifest


def choose(data: Shelf, keys: Shelf, name: str | None) -> Set:
    """A backup by its name or the newest one, with the newest keys that hold all of its subjects: keys don't change,
    and who was erased after the backup stays erased. Raises BackupRefused, BackupBroken."""
    backup, newest = data.find(name), keys.find(None)
    if newest.taken_at < backup.taken_at:
        raise BackupRefused(
            f"The newest keys in {keys.root} are of {newest.name}: older than the data, so that keys are missing."
        )
    manifest = data.manifest(backup)
    least = None
    for each in keys.backups():
        if each.taken_at < backup.taken_at:
            break
        held = keys.manifest(each)
        if not (missing := lacking(each, held, backup, manifest)):
            return Set(data=backup, data_manifest=manifest, keys=each, keys_manifest=held)
        least = missing if least is None else min(least, missing)
    raise BackupRefused(
        f"No keys in {keys.root} are those of {backup.name}: the keys of {least:,} subjects at least are missing."
    )


class Reader:
    """Reads backups with the keys that open them."""

    def __init__(self, identities: Sequence[Identity], wrapping: Wrapping, progress: Progress = lambda *_: None):
        self._identities = identities
        self._wrapping = wrapping
        self._progress = progress

    def read(self, chosen: Set, into: Sink, files: FilesPlace | None = None) -> Found:
        """Passes on all rows, and the files where there is a place for them. Raises BackupBroken at the first
        thing that is wrong: what has been passed on by then is not to be used."""
        _refuse_missing(chosen)
        found = self.keys(chosen.keys, chosen.keys_manifest, into)
        for part in chosen.data_manifest.parts:
            if part.name == FILES:
                archived = self._files(chosen.data.path, part, files, found)
                found.written_files = archived.written
                # Files come after the tables: in which order a backup is made.
                absent = found.counted_files - archived.ids - found.erased
                found.missing_files = absent.difference(chosen.data_manifest.gone)
            else:
                self._table(chosen.data.path, part, chosen.data_manifest, into, found)
        return found

    def keys(self, backup: Backup, manifest: Manifest, into: Sink) -> Found:
        """Passes on the keys. Raises BackupBroken."""
        found = Found()
        for part in manifest.parts:
            self._table(backup.path, part, manifest, into, found)
        return found

    def _table(self, place: Path, part: Part, manifest: Manifest, into: Sink, found: Found) -> None:
        following = follower(part.name, part.columns, manifest, self._wrapping, found)
        number = 0
        with into.table(part) as write, opened(place / part.file, part.written, self._identities) as file:
            write(HEADER)
            for raw, fields in rows(file):
                following.row(fields)
                write(raw)
                number += 1
                if number % _TOLD_EVERY == 0:
                    self._progress(part.name, number)
            write(TRAILER)
            _refuse_other_number(number, part)
            following.end()

    def _files(self, place: Path, part: Part, into: FilesPlace | None, found: Found) -> Archived:
        with opened(place / part.file, part.written, self._identities) as file:
            archived = unpack(file, into, found.erased)
            _refuse_other_number(archived.number, part)
        return archived


def _refuse_other_number(number: int, part: Part) -> None:
    if number != part.rows:
        raise BackupBroken(f"it holds {number} of {part.rows}")


def _refuse_missing(chosen: Set) -> None:
    there = {part.name for part in (*chosen.data_manifest.parts, *chosen.keys_manifest.parts)}
    if not {"tenant_heads", "events", KEYS.name} <= there:
        raise BackupBroken("the log or the keys are not in it")
    if unknown := there - {each.name for each in (*KEPT, KEYS)} - {FILES}:
        raise BackupRefused(f"It holds {min(unknown)}, which this release doesn't know: restore it with a newer one.")
