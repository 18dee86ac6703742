"""A data directory that one process at a time may use."""

import fcntl
import os
import tempfile
from contextlib import suppress
from pathlib import Path


class DirectoryInUse(Exception):
    """Another running process holds the data directory."""


class DirectoryLock:
    """A lock on the directory itself: it adds no file, and the kernel drops it when its holder dies."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock or raise DirectoryInUse at once."""
        descriptor = os.open(self._directory, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise DirectoryInUse(f"{self._directory} is in use by another running process") from None
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; harmless without one."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def new_locked_directory(prefix: str, below: Path | None = None) -> tuple[Path, DirectoryLock]:
    """A new temporary directory (of TMPDIR, unless it is to be `below` another) and its lock.

    One that another process took for a leftover, before it had its lock, is given up for another.
    """
    while True:
        place = Path(tempfile.mkdtemp(prefix=prefix, dir=below))
        lock = DirectoryLock(place)
        with suppress(DirectoryInUse, FileNotFoundError):
            lock.acquire()
            if place.exists():
                return place, lock
            lock.release()
