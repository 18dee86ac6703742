"""What can be asked of a file, and what it decides."""

import re
from collections.abc import Iterator
from typing import Annotated, ClassVar, assert_never
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from domain.files.events import (
    FileArchived,
    FileAttached,
    FileEdited,
    FileErased,
    FileEvent,
    FilePersonal,
    FileRestored,
    Host,
)
from domain.files.state import File
from domain.kernel import (
    AlreadyExists,
    Archived,
    Claim,
    Command,
    Invalid,
    NotFound,
    Reference,
    Refused,
    given,
    readable,
)
from domain.neighbours import Neighbours
from domain.values import check_texts

FileName = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"\S", examples=["offer.pdf"])]
MediaType = Annotated[str, Meta(max_length=200, pattern=r"^[a-z0-9.+-]+/[a-z0-9.+-]+$(?!\n)")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]

# The last are marks that turn the direction of writing: with them, what ends in `exe` looks as if it ended in `pdf`.
_NO_NAME = re.compile("[/\\\\\t\n\r\u0085\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class FileGone(Refused):
    """The file was erased: its bytes and its name are gone."""

    code = "file_erased"


class AttachFile(Command, frozen=True, kw_only=True):
    """Attach a file, whose bytes are stored, to a record."""

    PERMISSION: ClassVar[str] = "file:create"
    CREATES: ClassVar[bool] = True
    name: FileName
    entity: Host
    record: UUID
    media_type: MediaType
    size: Annotated[int, Meta(ge=1)]
    sha256: Sha256


class EditFile(Command, frozen=True, kw_only=True):
    """Give a file another name."""

    PERMISSION: ClassVar[str] = "file:update"
    name: FileName | UnsetType = UNSET


class ArchiveFile(Command, frozen=True, kw_only=True):
    """Take a file out of the lists. Its bytes stay, and count."""

    PERMISSION: ClassVar[str] = "file:delete"


class RestoreFile(Command, frozen=True, kw_only=True):
    """Bring an archived file back."""

    PERMISSION: ClassVar[str] = "file:delete"


class EraseFile(Command, frozen=True, kw_only=True):
    """Destroy a file's bytes and its name, for good."""

    PERMISSION: ClassVar[str] = "file:manage"


FileCommand = AttachFile | EditFile | ArchiveFile | RestoreFile | EraseFile


def references(command: FileCommand, state: File | None) -> Iterator[Reference]:
    """The record that a file hangs on: nothing is attached to one that is archived or erased at the same moment."""
    match command:
        case AttachFile():
            yield Reference(field="/record", entity=command.entity, id=command.record, guarded=True)
        case EditFile() | RestoreFile():
            if state is not None:
                yield Reference(field="/record", entity=state.entity, id=state.record, optional=True)
        case ArchiveFile() | EraseFile():
            return


def claims(_state: File) -> frozenset[Claim]:
    """Files may be called alike, and be the same."""
    return frozenset()


def decide(command: FileCommand, state: File | None, neighbours: Neighbours) -> list[FileEvent]:
    """What a command makes of a file. Raises Invalid, Archived, FileGone, AlreadyExists or NotFound."""
    check_texts(command)
    if isinstance(command, AttachFile | EditFile) and isinstance(command.name, str):
        check_name(command.name, "/name")
    if isinstance(command, AttachFile):
        if state is not None:
            raise AlreadyExists("This file is there already.")
        return [FileAttached(personal=FilePersonal(name=command.name), **given(command, but=("name",)))]
    if state is None:
        raise NotFound("There is no such file.")
    if isinstance(command, EraseFile):
        return [] if state.erased else [FileErased()]
    if state.erased:
        raise FileGone("This file was erased: nothing of it is left.")
    if isinstance(command, ArchiveFile):
        return [] if state.archived else [FileArchived()]
    if (host := neighbours.get(state.record)) is not None and host.archived:
        raise Archived(f"The {state.entity} that this file is attached to is archived: restore that first.")
    match command:
        case RestoreFile():
            return [FileRestored()] if state.archived else []
        case EditFile(name=name):
            return [] if name is UNSET else _renamed(name, state)
        case _ as never:
            assert_never(never)


def _renamed(name: str, state: File) -> list[FileEvent]:
    if state.archived:
        raise Archived("This file is archived: restore it first.")
    personal = FilePersonal(name=name)
    return [] if readable(state.personal) == personal else [FileEdited(personal=personal)]


def check_name(name: str, field: str) -> None:
    """Refuses a name that leads into another folder, breaks a line, or looks like another one."""
    if _NO_NAME.search(name) or name.strip(". ") == "":
        raise Invalid("A file's name has no slashes, line breaks or marks that turn it around.", field=field)
