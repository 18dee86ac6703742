"""What happens to a file that is attached to a record. Its bytes are no part of the log, only what they are."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from msgspec import UNSET, UnsetType

from domain.kernel import Erased, Event, Personal, Sealed


class Host(StrEnum):
    """The kinds of records that files are attached to."""

    ACCOUNT = "account"
    CONTACT = "contact"
    DEAL = "deal"
    PRODUCT = "product"
    PIPELINE = "pipeline"
    USER = "user"


class FilePersonal(Personal, frozen=True, kw_only=True):
    """What a file is called: `CV of Ada Lovelace.pdf` says who somebody is."""

    name: str


class FileAttached(Event, frozen=True, kw_only=True):
    """A file was attached to a record. `media_type` is what its bytes are, `sha256` their digest in hexadecimal."""

    TYPE: ClassVar[str] = "file.attached.v1"
    personal: FilePersonal | Sealed | Erased
    entity: Host
    record: UUID
    media_type: str
    size: int
    sha256: str


class FileEdited(Event, frozen=True, kw_only=True):
    """A file got another name."""

    TYPE: ClassVar[str] = "file.edited.v1"
    personal: FilePersonal | Sealed | Erased | UnsetType = UNSET


class FileArchived(Event, frozen=True, kw_only=True):
    """A file left the lists."""

    TYPE: ClassVar[str] = "file.archived.v1"


class FileRestored(Event, frozen=True, kw_only=True):
    """An archived file is back."""

    TYPE: ClassVar[str] = "file.restored.v1"


class FileErased(Event, frozen=True, kw_only=True):
    """A file's bytes and its name were destroyed: nobody gets them back."""

    TYPE: ClassVar[str] = "file.erased.v1"


FileEvent = FileAttached | FileEdited | FileArchived | FileRestored | FileErased
