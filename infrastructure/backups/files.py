"""Files' bytes as a part of a backup: a tar archive of their directory."""

import os
import tarfile
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path, PurePath, PurePosixPath
from typing import IO, BinaryIO, cast
from uuid import UUID

from msgspec import Struct, field

from infrastructure.backups.flaws import BackupBroken
from infrastructure.backups.placing import FilesPlace
from infrastructure.backups.sealing import Sealing

Erased = Collection[tuple[UUID, UUID]]
"""Tenant and subject of whom was erased. A file's name is sealed under a key of its own: it is its own subject."""


class Archived(Struct, kw_only=True):
    """How many files are in an archive, how many of them were written below a directory, and which they are: tenant
    and id, where their names say so."""

    number: int = 0
    written: int = 0
    ids: set[tuple[UUID, UUID]] = field(default_factory=set)

    def add(self, place: PurePath) -> None:
        """Counts a file."""
        self.number += 1
        if (id := _id(place)) is not None:
            self.ids.add(id)


def pack(directory: Path, into: Sealing) -> Archived:
    """Writes all files below a directory. One that is removed meanwhile is left out."""
    packed = Archived()
    with tarfile.open(fileobj=cast(IO[bytes], into), mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path in _below(directory):
            with suppress(FileNotFoundError), path.open("rb") as file:
                member = tarfile.TarInfo(path.relative_to(directory).as_posix())
                state = os.fstat(file.fileno())
                member.size, member.mtime, member.mode = state.st_size, int(state.st_mtime), 0o600
                archive.addfile(member, file)
                packed.add(path.relative_to(directory))
    return packed


def unpack(archive: BinaryIO, into: FilesPlace | None, erased: Erased) -> Archived:
    """Reads an archive to its end, and writes its files where there is a place for them, except those that were erased
    since. Raises BackupBroken."""
    read = Archived()
    try:
        with tarfile.open(fileobj=archive, mode="r|") as files:
            for member in files:
                content = files.extractfile(member)
                place = _place(member)
                read.add(place)
                if content is None:
                    raise BackupBroken(f"it holds '{place}', which is no file")
                if into is not None and _id(place) not in erased:
                    into.write(place, content)
                    read.written += 1
        while archive.read(1 << 18):  # what pads its end
            pass
    except tarfile.TarError as error:
        raise BackupBroken(f"it is no whole archive ({error})") from None
    return read


def _below(directory: Path) -> Iterator[Path]:
    """Files in pending/ come first: from there they move on, and are found again, never back unless they go."""
    for path in sorted(directory.iterdir(), key=lambda each: (each.name != "pending", each.name)):
        for folder, _, names in os.walk(path) if path.is_dir() else [(str(directory), [], [path.name])]:
            for name in names:
                if (found := Path(folder, name)).is_file() and not found.is_symlink():
                    yield found


def _place(member: tarfile.TarInfo) -> PurePosixPath:
    place = PurePosixPath(member.name)
    if place.is_absolute() or ".." in place.parts:
        raise BackupBroken("it holds a file that belongs elsewhere")
    return place


def _id(place: PurePath) -> tuple[UUID, UUID] | None:
    """The tenant and the file that a place is of."""
    ids = []
    for part in place.parts:
        with suppress(ValueError):
            ids.append(UUID(part))
    return (ids[0], ids[1]) if len(ids) == 2 else None
