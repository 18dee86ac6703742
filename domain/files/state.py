"""A file as its events leave it."""

from typing import assert_never
from uuid import UUID

from msgspec import Struct, structs

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
from domain.kernel import Erased, Sealed, given


class File(Struct, frozen=True, kw_only=True):
    """A file that hangs on a record: who sees that sees it. An erased one is archived for good."""

    personal: FilePersonal | Sealed | Erased
    entity: Host
    record: UUID
    media_type: str
    size: int
    sha256: str
    archived: bool = False
    erased: bool = False


def evolve(state: File | None, event: FileEvent) -> File | None:
    """The one fold of a file. An event of a file that never was attached changes nothing."""
    if isinstance(event, FileAttached):
        return File(**given(event))
    if state is None:
        return None
    match event:
        case FileEdited():
            return structs.replace(state, **given(event))
        case FileArchived():
            return structs.replace(state, archived=True)
        case FileRestored():
            return structs.replace(state, archived=False)
        case FileErased():
            return structs.replace(state, personal=Erased(), archived=True, erased=True)
        case _ as never:
            assert_never(never)
