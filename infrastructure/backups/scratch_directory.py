"""A temporary directory for a cluster, which does not outlast its process for long, however that ends.

Its lock is held for as long as it is used. A killed process gives the lock up, and by that the next one knows what it
may remove.
"""

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from infrastructure.embedded import remove_cluster
from infrastructure.embedded.directory import DirectoryInUse, DirectoryLock, new_locked_directory

CLUSTER = "postgres"
"""The name in it of the cluster's own directory."""
_PREFIX = "clientforge-drill-"
_NAME = re.compile(rf"{_PREFIX}[a-z0-9_]{{8}}")
"""What `mkdtemp` makes of the prefix."""


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """A new directory (below TMPDIR), removed in the end with the cluster in it."""
    place, lock = new_locked_directory(_PREFIX)
    try:
        # The server may run under an account of its own, which must get to its files.
        place.chmod(0o711)
        yield place
    finally:
        try:
            _remove(place)
        finally:
            lock.release()


def remove_leftovers() -> None:
    """Removes what killed processes of this user have left, as far as that is possible."""
    for place in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError, DirectoryInUse):
            status = place.lstat()
            of_ours = _NAME.fullmatch(place.name) and status.st_uid == os.geteuid()
            if not of_ours or not stat.S_ISDIR(status.st_mode):
                continue
            lock = DirectoryLock(place)
            lock.acquire()
            try:
                _remove(place)
            finally:
                lock.release()


def _remove(place: Path) -> None:
    remove_cluster(place / CLUSTER)
    shutil.rmtree(place)
