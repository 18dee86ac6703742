"""Files' bytes in a directory: `pending/<tenant>/<file>` while they arrive, `kept/<tenant>/<..>/<file>` afterwards.

Whoever is at a pending file holds its lock (flock), which ends with the process, however that ends. A file goes from
one place to the other by a rename, so it is whole in one of them. All processes share the directory.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from uuid_utils.compat import uuid7

from application.ports import BytesMissing


class FilesDirectory:
    """A directory of files. It is made when the first one comes."""

    def __init__(self, root: Path) -> None:
        self._pending = root / "pending"
        self._kept = root / "kept"

    def begin(self, tenant: UUID) -> "ArrivingFile":
        """Room for a new file."""
        file = uuid7()
        pending = self._pending_path(tenant, file)
        _make_directory(pending.parent)
        return ArrivingFile(file, pending, self._kept_path(tenant, file))

    def open(self, tenant: UUID, file: UUID) -> BinaryIO:
        """A file's bytes, wherever they are. Raises BytesMissing."""
        kept, pending = self._kept_path(tenant, file), self._pending_path(tenant, file)
        for path in (kept, pending, kept):  # it may move while we look
            with suppress(FileNotFoundError):
                return path.open("rb")
        raise BytesMissing(f"the bytes of file {file} of tenant {tenant} are not there")

    def settle(self, tenant: UUID, file: UUID) -> None:
        """Keeps bytes that are pending; what is kept already stays."""
        with suppress(FileNotFoundError):
            _move(self._pending_path(tenant, file), self._kept_path(tenant, file))

    @contextmanager
    def withdrawn(self, tenant: UUID, file: UUID) -> Iterator[None]:
        """Makes kept bytes pending, and holds their lock meanwhile. Where there are none, there is nothing to do."""
        try:
            held = self._kept_path(tenant, file).open("rb")
        except FileNotFoundError:
            yield
            return
        with held:
            fcntl.flock(held, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                _move(self._kept_path(tenant, file), self._pending_path(tenant, file))
            yield

    def remove(self, tenant: UUID, file: UUID) -> None:
        """Destroys a file's bytes, kept or pending."""
        # In this order: what a sweep settles meanwhile is then found where it went.
        for path in (self._pending_path(tenant, file), self._kept_path(tenant, file)):
            with suppress(FileNotFoundError):
                path.unlink()
                _sync(path.parent)

    def leftovers(self, seconds: float) -> Iterator[tuple[UUID, UUID]]:
        """Tenant and id of what has been pending for so long, and that nobody is at. Its lock is held for a step."""
        for path in sorted(self._pending.glob("*/*")):
            # ValueError: what isn't called as a file is none of ours.
            with suppress(FileNotFoundError, BlockingIOError, ValueError), path.open("rb") as held:
                if time.time() - os.fstat(held.fileno()).st_mtime < seconds:
                    continue
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if path.exists():  # else somebody was at it, and is done
                    yield UUID(path.parent.name), UUID(path.name)

    def _pending_path(self, tenant: UUID, file: UUID) -> Path:
        return self._pending / str(tenant) / str(file)

    def _kept_path(self, tenant: UUID, file: UUID) -> Path:
        # The last digits of a UUIDv7 are random: no directory gets too large.
        return self._kept / str(tenant) / file.hex[-2:] / str(file)


class ArrivingFile:
    """Bytes that arrive, of a file with a new id. Closing it removes them, unless it was told to keep or leave them."""

    def __init__(self, id: UUID, pending: Path, kept: Path) -> None:
        self.id = id
        self.size = 0
        self._pending = pending
        self._kept = kept
        self._hash = sha256()
        self._stays = False
        descriptor = os.open(pending, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def write(self, chunk: bytes) -> None:
        """Adds bytes."""
        rest = memoryview(chunk)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._hash.update(chunk)
        self.size += len(chunk)

    def finish(self) -> str:
        """Puts all of them on disk. Their SHA-256 in hexadecimal digits."""
        os.fsync(self._file.fileno())
        _sync(self._pending.parent)
        return self._hash.hexdigest()

    def reading(self) -> BinaryIO:
        """The bytes so far, as a file of one's own."""
        return self._pending.open("rb")

    def keep(self) -> None:
        """An event owns them."""
        self._stays = True
        _move(self._pending, self._kept)

    def leave(self) -> None:
        """Nobody knows whether an event owns them."""
        self._stays = True

    def close(self) -> None:
        """Ends the upload, and gives the lock back last."""
        if self._file.closed:
            return
        try:
            if not self._stays:
                self._pending.unlink(missing_ok=True)
        finally:
            self._file.close()


def _move(path: Path, to: Path) -> None:
    _make_directory(to.parent)
    path.rename(to)
    _sync(to.parent)
    _sync(path.parent)


def _make_directory(path: Path) -> None:
    """Makes a directory that nobody else looks into, and those above it, for good."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
        _sync(each.parent)


def _sync(directory: Path) -> None:
    """Has the names in a directory survive a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
