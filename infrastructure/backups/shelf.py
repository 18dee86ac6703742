"""Where backups stand: a directory each, which gets its name when it is whole and on disk.

What is being written, or was when its process was killed, has a name that no backup has; so has what is being removed.
"""

import os
import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from infrastructure.backups.flaws import BackupBroken, BackupRefused
from infrastructure.backups.manifest import MANIFEST, Kind, Manifest, Signer
from infrastructure.backups.retention import Keep
from infrastructure.embedded.directory import DirectoryLock

_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}Z")
_FORM = "%Y%m%dT%H%M%S.%fZ"
_UNFINISHED = ".unfinished-"
_VERDICT = "verified.json"


class Verdict(Struct, frozen=True, kw_only=True):
    """When a backup was last verified, and what was wrong with it: None for nothing."""

    at: datetime
    flaw: str | None = None


class Backup(Struct, frozen=True, kw_only=True):
    """A directory that has the name of a whole backup. `verdict` is a note for people: it proves nothing."""

    path: Path
    taken_at: datetime
    verdict: Verdict | None = None

    @property
    def name(self) -> str:
        """Its name, which tells when it was taken."""
        return self.path.name

    def note(self, flaw: str | None) -> None:
        """Notes that it was verified now, unless nobody may write there."""
        with suppress(OSError):
            _write(self.path / _VERDICT, msgspec.json.encode(Verdict(at=datetime.now(UTC), flaw=flaw)))


class Shelf:
    """A directory of backups: of data, or of the keys to the personal data in it."""

    def __init__(self, root: Path, kind: Kind, signer: Signer) -> None:
        self.root = root
        self.kind: Kind = kind
        self._signer = signer

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps it to oneself, and clears away what killed ones have left. Raises DirectoryInUse."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = DirectoryLock(self.root)
        lock.acquire()
        try:
            for leftover in self.root.glob(f"{_UNFINISHED}*"):
                shutil.rmtree(leftover)
            yield
        finally:
            lock.release()

    def begin(self, moment: datetime) -> Path:
        """A new directory for what was taken at a moment."""
        path = self.root / f"{_UNFINISHED}{moment.astimezone(UTC).strftime(_FORM)}"
        path.mkdir(mode=0o700)
        return path

    def finish(self, path: Path, manifest: Manifest) -> Backup:
        """Makes a directory a backup, in one step."""
        _write(path / MANIFEST, self._signer.text(manifest))
        whole = self.root / path.name.removeprefix(_UNFINISHED)
        path.rename(whole)
        _sync(self.root)
        return Backup(path=whole, taken_at=manifest.taken_at)

    def backups(self) -> list[Backup]:
        """All that are whole, the newest first."""
        found = [each for each in self.root.glob("*Z") if _NAME.fullmatch(each.name)] if self.root.is_dir() else []
        return [
            Backup(path=each, taken_at=datetime.strptime(each.name, _FORM).replace(tzinfo=UTC), verdict=_verdict(each))
            for each in sorted(found, reverse=True)
        ]

    def find(self, name: str | None) -> Backup:
        """A backup by its name, or the newest. Raises BackupRefused."""
        found = self.backups()
        for each in found:
            if name is None or each.name == name:
                return each
        raise BackupRefused(f"There is no backup {name} in {self.root}." if name else f"No backup in {self.root}.")

    def manifest(self, backup: Backup) -> Manifest:
        """What a backup says of itself. Raises BackupBroken."""
        manifest = self._signer.read(backup.path)
        if (manifest.taken_at, manifest.kind) != (backup.taken_at, self.kind):
            raise BackupBroken(f"{MANIFEST}: it is that of another backup")
        return manifest

    def thin_out(self, keep: Keep, spared: Collection[Backup] = ()) -> list[Backup]:
        """Removes what need not be kept. The last one that was found good stays, and the last not found broken."""
        backups = self.backups()
        moments = keep.of(each.taken_at for each in backups)
        good = [each for each in backups if each.verdict and each.verdict.flaw is None][:1]
        perhaps = [each for each in backups if not (each.verdict and each.verdict.flaw)][:1]
        gone = [each for each in backups if each.taken_at not in moments and each not in (*good, *perhaps, *spared)]
        for each in gone:
            hidden = each.path.with_name(f"{_UNFINISHED}{each.name}")
            each.path.rename(hidden)
            shutil.rmtree(hidden)
        return gone


def _verdict(path: Path) -> Verdict | None:
    try:
        return msgspec.json.decode((path / _VERDICT).read_bytes(), type=Verdict)
    except (OSError, msgspec.DecodeError):
        return None


def _write(path: Path, text: bytes) -> None:
    """Puts a file on disk, whole or not at all."""
    unfinished = path.with_name(f"{_UNFINISHED}{path.name}")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    _sync(path.parent)


def _sync(directory: Path) -> None:
    """Has the names in a directory survive a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
