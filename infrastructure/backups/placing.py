"""Files' bytes on their way back from a backup: below a directory that holds none, all of them or not one."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import IO

from infrastructure.backups.flaws import BackupRefused


class FilesPlace:
    """A directory that files are written to, and removed from again: those that it was given, and no others.

    They stay once `keep` was called, unless they are `gone_with_database`: then its owner removes that, too.
    """

    def __init__(self, directory: Path, *, gone_with_database: bool = False) -> None:
        self._directory = directory
        self._gone_with_database = gone_with_database
        self._files: list[str] = []
        self._directories: list[Path] = []

    def write(self, place: PurePath, content: IO[bytes]) -> None:
        """Writes a new file, and the directories above it, readable by nobody else."""
        path = self._directory / place
        self._make(path.parent)
        # Noted before it is there: a signal may end this at any moment.
        self._files.append(str(path))
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            self._files.pop()
            raise
        with os.fdopen(descriptor, "wb") as file:
            shutil.copyfileobj(content, file)
            file.flush()
            os.fsync(file.fileno())

    def keep(self) -> None:
        """Called before the rows that name them are committed: whether they were can't always be told, and files
        too many do less harm than rows without their files."""
        if not self._gone_with_database:
            self._files.clear()
            self._directories.clear()

    def clear(self) -> None:
        """Removes what was written, as far as that is possible."""
        for file in self._files:
            with suppress(OSError):
                Path(file).unlink()
        for directory in reversed(self._directories):
            with suppress(OSError):
                directory.rmdir()

    def _make(self, directory: Path) -> None:
        if not directory.is_dir():
            self._make(directory.parent)
            self._directories.append(directory)
            directory.mkdir(mode=0o700)


@contextmanager
def placed(directory: Path | None, *, gone_with_database: bool = False) -> Iterator[FilesPlace | None]:
    """Room for files, where there is a directory for them; what fails meanwhile leaves none there that isn't kept.

    Raises BackupRefused for a directory that holds anything.
    """
    if directory is None:
        yield None
        return
    _refuse_files(directory)
    place = FilesPlace(directory, gone_with_database=gone_with_database)
    try:
        yield place
    except BaseException:
        place.clear()
        raise


def _refuse_files(directory: Path) -> None:
    """Raises BackupRefused for a directory that holds anything."""
    if directory.is_dir() and any(directory.iterdir()):
        raise BackupRefused(f"FILES_DIR ({directory}) is not empty: files are restored into an empty directory only.")
