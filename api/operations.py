"""An operation is one method of one address. From this table come the routes and the OpenAPI description."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Generic, Literal, TypeVar
from uuid import UUID

from litestar import Request
from msgspec import Struct

from api.services import Services
from application.handling import Sender
from application.ports import PendingFile
from application.sights import Sights
from domain.kernel import Refused
from infrastructure.rate_limits import Partition
from infrastructure.sessions import Client, Principal
from infrastructure.settings import RateClass
from infrastructure.tokens import InvalidToken
from projections.viewer import Viewer

B = TypeVar("B")
Q = TypeVar("Q")
Method = Literal["GET", "POST", "PATCH", "DELETE"]


class Download(Struct, frozen=True, kw_only=True):
    """Bytes to be sent: an open file of so many, with their SHA-256 in hexadecimal digits."""

    file: BinaryIO
    size: int
    sha256: str


class Upload(Struct, frozen=True, kw_only=True):
    """A file that has arrived: its bytes, and what its sender calls it."""

    pending: PendingFile
    name: str


class Empty(Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing is asked for."""


class Reply(Struct, frozen=True, kw_only=True):
    """An answer that says more than its body."""

    body: Any = None
    headers: Mapping[str, str] = {}
    file: Download | None = None


class Operation(Struct, frozen=True, kw_only=True):
    """One thing that can be asked for. `run` answers it, and may block: it runs in a thread.

    `path` is below the prefix; `{id:uuid}` in it is the record. `waits` names the projections that must have passed
    the reader's own last write; `concerns` finds in a request which entities' alone, where that isn't all.
    `by_person` is for people who are logged in: no API key can do it. `by_key` says how far a key can do it, where that
    is less far than its user can.
    `body` None means that none is read; `answer` None that there is none. `limit` is the
    rate limit that requests count against, `counted_as` finds in a request who else it counts for. `long` means that a
    tenant can have only some of these running at a time. `opens` is for uploads: it makes room for a file, in a thread
    too, before a byte of the body is read, and `run` finds the file in `received.upload`. `sends_file` says that the
    answer is a file.
    """

    method: Method
    path: str
    name: str
    summary: str
    tag: str
    run: Callable[["Call[Any, Any]"], Any]
    answer: Any
    status: int = 200
    body: type[Struct] | None = None
    query: type[Struct] = Empty
    permission: str | None = None
    public: bool = False
    by_person: bool = False
    by_key: str = ""
    hashes: bool = False
    limit: RateClass = "general"
    counted_as: "Callable[[Services, Received], Sequence[Partition]] | None" = None
    long: bool = False
    opens: Callable[["Call[Any, Any]"], PendingFile] | None = None
    sends_file: bool = False
    waits: Sequence[str] = ()
    concerns: Callable[[Request[Any, Any, Any]], Collection[str]] | None = None
    commands: bool = False
    creates: bool = False
    refuses: Sequence[type[Refused]] = ()
    example: Any = None
    answer_example: Any = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Call(Generic[B, Q]):
    """One request for an operation, understood."""

    services: Services
    operation: Operation
    received: "Received"
    bearer: Principal | None
    sights: Sights | None
    time_zone: str
    body: B
    query: Q

    @property
    def principal(self) -> Principal:
        """Who asks; operations that aren't public have one."""
        if self.bearer is None:
            raise InvalidToken("This needs an access token.")
        return self.bearer

    @property
    def viewer(self) -> Viewer:
        """Who reads, and what of their tenant they see."""
        sight = self._sights.reading
        return Viewer(
            tenant=self.principal.tenant,
            user=self.principal.user,
            owners=sight.owners,
            unowned=sight.unowned,
            kinds=self._sights.kinds,
            time_zone=self.time_zone,
        )

    @property
    def _sights(self) -> Sights:
        if self.sights is None:
            raise InvalidToken("This needs an access token.")
        return self.sights

    @property
    def client(self) -> Client:
        """From where this was asked for."""
        return self.received.client

    @property
    def sender(self) -> Sender:
        """Who sends a command."""
        return Sender(
            tenant=self.principal.tenant,
            actor=f"user-{self.principal.user}",
            permissions=self.principal.permissions,
            correlation=self.received.correlation,
            request=self.received.request_id,
            address=self.received.address,
            sights=self._sights,
        )


class Received(Struct, frozen=True, kw_only=True):
    """A request as it came in."""

    path: str
    record: UUID
    query: Sequence[tuple[str, str]]
    raw: bytes
    host: str
    request_id: str | None
    correlation: UUID
    address: str | None
    if_match: int | None
    idempotency_key: str | None
    agent: str | None = None
    announced: int = 0
    """Bytes that a file which is to come has at least, as far as the request says."""
    upload: Upload | None = None

    @property
    def client(self) -> Client:
        """From where this came."""
        return Client(address=self.address, agent=self.agent, request=self.request_id)
