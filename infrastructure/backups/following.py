"""What is looked for in the rows of a backup as they pass: the hash chain, the ends of the logs, keys that open, and
whether all that is sealed has its key."""

from collections.abc import Iterator, Mapping, Sequence
from struct import Struct as Layout
from typing import Protocol, TypeVar
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from msgspec import Struct, field

from application.recording import personal_subject
from infrastructure.backups.copying import Fields
from infrastructure.backups.flaws import BackupBroken
from infrastructure.backups.manifest import Head, Manifest
from infrastructure.backups.tables import KEYS
from infrastructure.keys import Wrapping
from infrastructure.verification import Chain, StoredEvent

T = TypeVar("T")

_INTEGER = Layout("!i").unpack
_LONG = Layout("!q").unpack


class Found(Struct, kw_only=True):
    """What was in a backup: who has a key or its tombstone (tenant and subject, 32 bytes), whom the keys say erased,
    whose keys are missing; which files (tenant, id) are counted, how many were written, and which of those that should
    be in the archive aren't."""

    known: set[bytes] = field(default_factory=set)
    erased: set[tuple[UUID, UUID]] = field(default_factory=set)
    missing: set[bytes] = field(default_factory=set)
    counted_files: set[tuple[UUID, UUID]] = field(default_factory=set)
    missing_files: set[tuple[UUID, UUID]] = field(default_factory=set)
    written_files: int = 0

    @property
    def lost(self) -> list[str]:
        """What nobody could read after a restore, though all that is there is whole."""
        told = []
        if self.missing:
            told.append(f"the keys of {len(self.missing):,} subjects are missing, and nobody erased them")
        if self.missing_files:
            told.append(f"the bytes of {len(self.missing_files):,} files are missing, and nobody erased them")
        return told


class Follower(Protocol):
    """Looks at a table's rows."""

    def row(self, fields: Fields) -> None:
        """Looks at the next one. Raises BackupBroken."""

    def end(self) -> None:
        """Looks back, when there are no more. Raises BackupBroken."""


class Passing:
    """Lets rows pass that nothing is known of."""

    def row(self, fields: Fields) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


class Logs:
    """Recomputes the chain of each tenant's log, which must end where the manifest says. Notes whose keys are missing
    for what is sealed in it; the keys were read before."""

    def __init__(self, columns: Sequence[str], heads: Mapping[UUID, Head], found: Found) -> None:
        self._tenant = columns.index("tenant_id")
        self._event = [columns.index(name) for name in StoredEvent._fields]
        self._heads = heads
        self._found = found
        self._waited_for = {tenant for tenant, head in heads.items() if head.position}
        self._at: UUID | None = None
        self._chain: Chain | None = None

    def row(self, fields: Fields) -> None:
        """Follows the chain to the next event."""
        tenant = UUID(bytes=fields[self._tenant])
        if tenant != self._at or self._chain is None:
            self._finish()
            self._at, self._chain = tenant, Chain(tenant)
        event = _event([fields[index] for index in self._event])
        if flaw := self._chain.follow(event):
            raise BackupBroken(f"the log of tenant {tenant} is broken at position {self._chain.position + 1}: {flaw}")
        sealed_for = {tenant.bytes + subject.bytes for subject in _subjects(event)}
        self._found.missing |= sealed_for - self._found.known

    def end(self) -> None:
        """All logs were there, and to their ends."""
        self._finish()
        if self._waited_for:
            raise BackupBroken(f"the log of tenant {min(self._waited_for)} is missing")

    def _finish(self) -> None:
        if self._at is None or self._chain is None:
            return
        head = self._heads.get(self._at)
        if head is None or (head.position, head.link) != (self._chain.position, self._chain.link.hex()):
            raise BackupBroken(f"the log of tenant {self._at} doesn't end where it ended in the database")
        self._waited_for.discard(self._at)


class Heads:
    """The heads of the logs, which must be those of the manifest."""

    def __init__(self, columns: Sequence[str], heads: Mapping[UUID, Head]) -> None:
        self._places = [columns.index(name) for name in ("tenant_id", "position", "chain_hash")]
        self._expected = heads
        self._found: dict[UUID, Head] = {}

    def row(self, fields: Fields) -> None:
        """Notes a head."""
        tenant, position, link = (fields[place] or b"" for place in self._places)
        self._found[UUID(bytes=tenant)] = Head(position=_LONG(position)[0], link=link.hex())

    def end(self) -> None:
        """Compares them."""
        if self._found != self._expected:
            raise BackupBroken("the heads of the logs are not those that the manifest tells")


class Keys:
    """The keys of personal data: each must open under the master key. Whose they are is noted, and who was erased."""

    def __init__(self, columns: Sequence[str], wrapping: Wrapping, found: Found) -> None:
        self._places = [columns.index(name) for name in ("tenant_id", "subject", "wrapped")]
        self._wrapping = wrapping
        self._found = found

    def row(self, fields: Fields) -> None:
        """Opens a key."""
        first, second, wrapped = (fields[place] for place in self._places)
        tenant, subject = UUID(bytes=first), UUID(bytes=second)
        self._found.known.add(tenant.bytes + subject.bytes)
        if wrapped is None:
            self._found.erased.add((tenant, subject))
            return
        try:
            self._wrapping.unwrap(tenant, subject, wrapped)
        except InvalidTag:
            raise BackupBroken(f"the key of subject {subject} doesn't open under MASTER_KEY") from None

    def end(self) -> None:
        """Nothing."""


class CountedFiles:
    """The files that are counted, which are noted."""

    def __init__(self, columns: Sequence[str], found: Found) -> None:
        self._places = [columns.index(name) for name in ("tenant_id", "file_id")]
        self._found = found

    def row(self, fields: Fields) -> None:
        """Notes a file."""
        tenant, file = (UUID(bytes=fields[place]) for place in self._places)
        self._found.counted_files.add((tenant, file))

    def end(self) -> None:
        """Nothing."""


def follower(table: str, columns: Sequence[str], manifest: Manifest, wrapping: Wrapping, found: Found) -> Follower:
    """What looks at a table's rows."""
    match table:
        case "events":
            return Logs(columns, manifest.heads, found)
        case "tenant_heads":
            return Heads(columns, manifest.heads)
        case KEYS.name:
            return Keys(columns, wrapping, found)
        case "stored_files":
            return CountedFiles(columns, found)
        case _:
            return Passing()


def _subjects(event: StoredEvent) -> Iterator[UUID]:
    """Whose keys seal parts of an event: its own subject's, and its actor's for the address."""
    if _is_sealed(_decoded(event.payload, _Payload).personal):
        yield personal_subject(event.stream)
    circumstances = _decoded(event.metadata, _Metadata)
    if _is_sealed(circumstances.address):
        yield personal_subject(circumstances.actor)


class _Payload(Struct):
    personal: object = None


class _Metadata(Struct):
    actor: str = ""
    address: object = None


def _decoded(data: bytes, shape: type[T]) -> T:
    """Nothing is sealed in what isn't of our form."""
    try:
        return msgspec.json.decode(data, type=shape)
    except msgspec.DecodeError:
        return shape()


def _is_sealed(value: object) -> bool:
    return isinstance(value, dict) and value.get("kind") == "sealed"


def _event(fields: Fields) -> StoredEvent:
    """An event's stored columns, out of their bytes. Raises BackupBroken."""
    if None in fields:
        raise BackupBroken("a part of an event was removed")
    position, stream, version, type_, *others = (field or b"" for field in fields)
    return StoredEvent(_LONG(position)[0], stream.decode(), _INTEGER(version)[0], type_.decode(), *others)
