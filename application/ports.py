"""What the application needs from outside."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, BinaryIO, Protocol
from uuid import UUID

from msgspec import Struct

from application.recording import Metadata, Recorded
from domain.kernel import Claim, Event, Refused
from domain.permissions import Role


class StreamChange(Struct, frozen=True, kw_only=True):
    """New events of one stream, which is at version `expected` (0: not there yet).

    `occurred_at` is when they happened in the world; None means when they are recorded. `row` is the row of an
    import batch that they came from, to be named by a conflict. `source` is what an import read that row from:
    field → keyed hash of its source text, kept beside the log and replaced as a whole.
    """

    stream: str
    expected: int
    events: tuple[Event, ...]
    occurred_at: tuple[datetime | None, ...] | None = None
    acquire: tuple[Claim, ...] = ()
    release: tuple[Claim, ...] = ()
    row: int | None = None
    source: Mapping[str, str] | None = None


class Guard(Struct, frozen=True, kw_only=True):
    """A stream that a decision was based on and that must still be at that version."""

    stream: str
    version: int


class Idempotency(Struct, frozen=True, kw_only=True):
    """A caller's key for a request, and what the request was (any bytes; stored as a keyed hash)."""

    key: str
    request: bytes


class PrincipalChange(Struct, frozen=True, kw_only=True):
    """What authorisation reads of a user, updated in the append's own transaction.

    A change of role or activity ends the tokens issued before it; with `ends_keys`, the user's API keys are gone.
    """

    user: UUID
    role: str
    manager: UUID | None
    office: str | None
    active: bool
    ends_keys: bool = False


class Append(Struct, frozen=True, kw_only=True):
    """All that one transaction adds to a tenant's log."""

    metadata: Metadata
    changes: tuple[StreamChange, ...]
    guards: tuple[Guard, ...] = ()
    principals: tuple[PrincipalChange, ...] = ()
    most_users: int | None = None
    """How many users may be active in the tenant when this is stored; only what makes one active needs to say."""
    idempotency: Idempotency | None = None
    address: str | None = None
    """The client's address in the clear; the store seals it under the actor's key, or drops it without one."""


class Appended(Struct, frozen=True, kw_only=True):
    """The answer of an append: `position` is that of the last event; `outcome` is that of the first request
    with the same idempotency key where there was one (`replayed`), else of this one: stream → version, in order."""

    position: int
    versions: Mapping[str, int]
    replayed: bool = False


class Conflict(Exception):
    """An append that the log refused: nothing of it was stored."""

    def __init__(self, message: str, *, row: int | None = None, **details: Any) -> None:
        super().__init__(message)
        self.row = row
        self.details = details


class VersionConflict(Conflict):
    """A stream is no longer at the version that the append expected."""

    def __init__(self, stream: str, version: int, *, row: int | None = None) -> None:
        super().__init__(f"{stream} has a version {version} already", row=row, stream=stream, version=version)
        self.stream = stream
        self.version = version


class GuardConflict(Conflict):
    """A stream that the decision was based on has moved."""

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        super().__init__(f"{stream} is at version {actual}, not {expected}", stream=stream)
        self.stream = stream
        self.expected = expected
        self.actual = actual


class ClaimConflict(Conflict):
    """Another stream of the tenant holds the value."""

    def __init__(self, claim: Claim, holder: str, *, row: int | None = None) -> None:
        super().__init__(f"{claim.purpose} is held by {holder}", row=row, purpose=claim.purpose, holder=holder)
        self.claim = claim
        self.holder = holder


class IdempotencyConflict(Conflict):
    """The idempotency key was used for another request."""


class LastAdminConflict(Conflict):
    """The tenant has an active admin, and would have none any more."""


class UserLimitConflict(Conflict):
    """More users would be active than the append's `most_users`."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} users would be active", limit=limit)
        self.limit = limit


class EventStore(Protocol):
    """The tenants' logs.

    Reading with `sealed=True` leaves personal data sealed. A key that is missing without a tombstone raises
    KeyMissing; with one, the personal part reads `Erased`.
    """

    def append(self, tenant: UUID, append: Append) -> Appended:
        """Adds events in one round trip. Raises a Conflict."""

    def stream(self, tenant: UUID, stream: str, *, until: int | None = None, sealed: bool = False) -> list[Recorded]:
        """A stream's events in order, up to the log's position `until`."""

    def streams(
        self, tenant: UUID, streams: Collection[str], *, until: int | None = None, sealed: bool = False
    ) -> dict[str, list[Recorded]]:
        """The events of several streams, read at once; a stream without events is left out."""

    def log(self, tenant: UUID, *, after: int, limit: int, sealed: bool = False) -> list[Recorded]:
        """The events behind position `after`, in order, at most `limit`."""

    def head(self, tenant: UUID) -> int:
        """The position of the tenant's last event, 0 without any."""

    def position_at(self, tenant: UUID, instant: datetime) -> int:
        """The last position recorded at or before the instant, 0 if there was none."""

    def holders(self, tenant: UUID, claims: Collection[Claim]) -> dict[Claim, str]:
        """The streams that hold the given values."""

    def active_users(self, tenant: UUID) -> dict[UUID, Role]:
        """The tenant's active users with their roles, never behind the log."""

    def sources(self, tenant: UUID, streams: Collection[str]) -> dict[str, Mapping[str, str]]:
        """What each stream's last import row was, as StreamChange.source gave it."""

    def replayed(self, tenant: UUID, actor: str, idempotency: Idempotency) -> Appended | None:
        """The answer that a request with this key got. Raises IdempotencyConflict where it was another request."""

    def keyed_hash(self, tenant: UUID, values: Sequence[str]) -> list[str]:
        """A hash of each value under the tenant's own key, as hexadecimal digits."""

    def open_address(self, recorded: Recorded) -> str | None:
        """The client's address of an event, None where there is none or it was erased."""


class KeyMissing(Exception):
    """A subject's key is gone and nobody erased it: stop and look, never read it as erased."""


class Announcements(Protocol):
    """Tells the read side, after a commit, that a tenant's log has grown. Never raises: the sweeper makes good."""

    def appended(self, tenant: UUID, actor: str, position: int, entities: Collection[str]) -> None:
        """Wakes the projectors, and notes the actor's last position in these entities for read-your-writes."""


class PendingFile(Protocol):
    """Bytes that arrive, of a file with a new id, which no event owns yet. Closing it removes them, unless told."""

    id: UUID
    size: int

    def write(self, chunk: bytes) -> None:
        """Adds bytes."""

    def finish(self) -> str:
        """Puts all of them on disk. Their SHA-256 in hexadecimal digits."""

    def reading(self) -> BinaryIO:
        """The bytes so far, from their start, as a file of one's own that can be sought in."""

    def keep(self) -> None:
        """An event owns them: they are final."""

    def leave(self) -> None:
        """Nobody knows whether an event owns them: closing leaves them pending."""

    def close(self) -> None:
        """Ends the upload."""


class BytesMissing(Exception):
    """The log has a file whose bytes are not there, or not as many as it says."""


class FileBytes(Protocol):
    """Where files' bytes are. A file is named by its tenant and its id, and by nothing that anybody can choose."""

    def begin(self, tenant: UUID) -> PendingFile:
        """Room for a new file."""

    def open(self, tenant: UUID, file: UUID) -> BinaryIO:
        """A file's bytes, kept or still pending. Raises BytesMissing."""

    def settle(self, tenant: UUID, file: UUID) -> None:
        """Keeps bytes that are pending; what is kept already stays."""

    def withdrawn(self, tenant: UUID, file: UUID) -> AbstractContextManager[None]:
        """Makes kept bytes pending, and keeps sweeps away from them meanwhile."""

    def remove(self, tenant: UUID, file: UUID) -> None:
        """Destroys a file's bytes, kept or pending."""

    def leftovers(self, seconds: float) -> Iterator[tuple[UUID, UUID]]:
        """Tenant and id of what has been pending for so long, and that nobody is at; nobody else is during a step."""


class SubjectKeys(Protocol):
    """The keys that personal data is sealed under."""

    def erase_key(self, tenant: UUID, subject: UUID) -> None:
        """Destroys a subject's key: from now on its personal data reads `Erased`, in every process."""


class StorageFull(Refused):
    """The tenant has stored as many bytes as it may."""

    code = "storage_full"


class StorageLedger(Protocol):
    """How many bytes each tenant has stored, in which files. Exact, however many upload at once."""

    def check_room(self, tenant: UUID, size: int, limit: int | None) -> None:
        """Raises StorageFull where so many more bytes don't fit now."""

    def reserve(self, tenant: UUID, file: UUID, entity: str, record: UUID, size: int, limit: int | None) -> None:
        """Counts a file of a record. Raises StorageFull, and counts nothing, where it would pass the limit."""

    def release(self, tenant: UUID, file: UUID) -> None:
        """Counts a file no more; one that isn't counted changes nothing."""

    def files_of(self, tenant: UUID, entity: str, record: UUID) -> list[UUID]:
        """The files of a record that are counted."""
