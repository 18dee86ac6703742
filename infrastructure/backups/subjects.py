"""Whose keys a backup needs or holds, readable without the private key: 32 bytes each (tenant, subject), in order.

Ids say of nobody who they are. The manifest holds the file's SHA-256, and is signed.
"""

import os
from collections.abc import Iterable, Iterator
from hashlib import file_digest, sha256
from pathlib import Path
from uuid import UUID

from infrastructure.backups.flaws import BackupBroken
from infrastructure.backups.manifest import Manifest
from infrastructure.backups.retention import Keep
from infrastructure.backups.sealing import Written
from infrastructure.backups.shelf import Backup, Shelf

SUBJECTS = "subjects"
_LENGTH = 32


def write_subjects(directory: Path, subjects: Iterable[tuple[UUID, UUID]]) -> Written:
    """Writes the file, which is on disk at the end. `subjects` come in order."""
    size, digest = 0, sha256()
    descriptor = os.open(directory / SUBJECTS, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for tenant, subject in subjects:
            size += file.write(line := tenant.bytes + subject.bytes)
            digest.update(line)
        file.flush()
        os.fsync(file.fileno())
    return Written(bytes=size, sha256=digest.hexdigest())


def lacking(keys: Backup, held: Manifest, backup: Backup, wanted: Manifest) -> int:
    """How many subjects of a backup the keys don't hold, as a key or a tombstone. Raises BackupBroken."""
    there = _subjects(keys, held)
    number, at = 0, next(there, None)
    for each in _subjects(backup, wanted):
        while at is not None and at < each:
            at = next(there, None)
        number += at != each
    return number


def thin_out_keys(keys: Shelf) -> list[str]:
    """Removes older keys that are all among the newest ones. What stays for another reason is told, each in a line.

    Older keys would open what was erased since; but those that the newest don't have would be lost for good.
    """
    newest, *older = keys.backups()
    more = {each: told for each in older if (told := _more(keys, each, newest))}
    keys.thin_out(Keep(newest=1), spared=list(more))
    return list(more.values())


def _more(keys: Shelf, older: Backup, newest: Backup) -> str | None:
    """What older keys hold that the newest don't, None for nothing."""
    try:
        known = keys.manifest(older)
        if known.subjects is None:
            return f"{older.name} doesn't tell whose keys it holds"
        number = lacking(newest, keys.manifest(newest), older, known)
    except BackupBroken as broken:
        return f"{older.name} can't be read ({broken})"
    return f"{older.name} holds keys of {number:,} subjects that this database doesn't have" if number else None


def _subjects(backup: Backup, manifest: Manifest) -> Iterator[bytes]:
    if manifest.subjects is None:
        return
    try:
        with (backup.path / SUBJECTS).open("rb") as file:
            if file_digest(file, "sha256").hexdigest() != manifest.subjects.sha256:
                raise BackupBroken(f"{backup.name}/{SUBJECTS}: it is altered or cut off")
            file.seek(0)
            while line := file.read(_LENGTH):
                yield line
    except FileNotFoundError:
        raise BackupBroken(f"{backup.name}/{SUBJECTS}: it is missing") from None
