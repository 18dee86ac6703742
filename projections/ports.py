"""What the read side needs from outside: rows, a search index, an audit trail."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from msgspec import Struct

from domain.kernel import Erased, Sealed


class StoreAway(Exception):
    """A store can't be reached or refuses work for now: try again later, park nothing."""


class TookTooLong(StoreAway):
    """A store cut a query off, because it ran longer than a query may."""


class DocumentRefused(Exception):
    """A store can't take a document, however often it is tried; the message names it."""


class NotPublished(Exception):
    """A tenant is searched before any generation of its index was published: an error, never a wider search."""


class Rows(Protocol):
    """One tenant's rows of a relational read model, in one generation and one transaction.

    `execute` sets the parameters `tenant` and `generation` besides the given ones.
    """

    tenant: UUID
    generation: int

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Runs one statement; its rows as dictionaries."""


class Database(Protocol):
    """Reads read models. `sql` must filter on `%(tenant)s`, which is set besides the given parameters."""

    def read(
        self, tenant: UUID, sql: str, parameters: Mapping[str, Any] | None = None, *, one_plan: bool = False
    ) -> list[dict[str, Any]]:
        """Runs one query for one tenant, in one round trip.

        `one_plan`: one plan is the best for all values and tenants, so that it may be prepared.
        """


class SearchDocument(Struct, frozen=True, kw_only=True):
    """What is searchable of a record. `position` orders repeated and overtaken writes: the highest stays.

    `title` is what the record is called, `text` what else finds it (e-mail addresses, codes, cities);
    `fields` are filtered by exact value (owner, stage, industry), each a string, number, boolean, or list of
    strings.
    """

    entity: str
    id: UUID
    position: int
    title: str
    text: Sequence[str] = ()
    fields: Mapping[str, Any] = {}
    archived: bool = False


class SearchQuery(Struct, frozen=True, kw_only=True):
    """`text` as a person types it: whole words, and the last one perhaps unfinished.

    `filters`: fields that must have this value, or a list that holds it; numbers and booleans as JSON writes them.
    `owners`: only records of these owners (field `owner`); None means all. `unowned`: besides, those that nobody
    owns. `limit`: hits per entity at most.
    `archived`: archived records too.
    """

    text: str
    entities: Sequence[str]
    filters: Mapping[str, str] = {}
    owners: Sequence[UUID] | None = None
    unowned: bool = False
    limit: int = 20
    archived: bool = False


class Hit(Struct, frozen=True, kw_only=True):
    """A found record. `highlights` are fragments with the matches in <em>; empty where the store has none."""

    entity: str
    id: UUID
    score: float
    title: str
    fields: Mapping[str, Any]
    highlights: Sequence[str] = ()


class SearchIndex(Protocol):
    """Search, a generation of a tenant at a time. Raises StoreAway, and DocumentRefused on writing."""

    def write(self, tenant: UUID, generation: int, documents: Sequence[SearchDocument]) -> None:
        """Puts documents, by (entity, id); one whose position is not above the stored one changes nothing.

        Of several for one record, the one with the highest position counts.
        """

    def publish(self, tenant: UUID, generation: int) -> None:
        """From now on the tenant's searches read this generation. Repeating it changes nothing."""

    def refresh(self, entities: Collection[str]) -> None:
        """Makes all acknowledged writes of these entities findable, whichever tenant's they are."""

    def search(self, tenant: UUID, query: SearchQuery) -> list[Hit]:
        """The best hits of the published generation, per entity best first; nothing of any other tenant.

        A text without any letter or digit finds nothing. Raises NotPublished.
        """

    def drop(self, tenant: UUID, generation: int) -> None:
        """Forgets a generation of the tenant. Raises ValueError for the published one."""

    def documents(self, tenant: UUID, generation: int, entity: str) -> list[SearchDocument]:
        """All documents of an entity in a generation, by id: for verification and tests."""

    def ping(self) -> None:
        """Raises StoreAway when the store doesn't answer."""


class AuditDocument(Struct, frozen=True, kw_only=True):
    """One event, with its entity before and after. `before`, `after` and `event` are JSON objects in which
    personal data is sealed; `changed` names the top-level fields that differ."""

    position: int
    stream: str
    version: int
    type: str
    actor: str
    recorded_at: datetime
    occurred_at: datetime
    correlation: UUID
    causation: UUID | None = None
    request: str | None = None
    address: Sealed | Erased | None = None
    event: Mapping[str, Any]
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    changed: tuple[str, ...] = ()


class AuditQuery(Struct, frozen=True, kw_only=True):
    """Newest first, below position `below`. `entity` is a kind of record, `stream` one record; `since` is
    included, `until` is not; both by recorded_at. `positions`: these alone, where it isn't None."""

    entity: str | None = None
    stream: str | None = None
    actor: str | None = None
    type: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    below: int | None = None
    positions: tuple[int, ...] | None = None
    limit: int = 50


class AuditTrail(Protocol):
    """The audit trail, a generation of a tenant at a time. Raises StoreAway, and DocumentRefused on writing."""

    def write(self, tenant: UUID, generation: int, documents: Sequence[AuditDocument]) -> None:
        """Adds documents, by position; one that is there already stays as it is."""

    def find(self, tenant: UUID, generation: int, query: AuditQuery) -> list[AuditDocument]:
        """The matching documents of that tenant and generation, newest first."""

    def drop(self, tenant: UUID, generation: int) -> None:
        """Forgets a generation of the tenant."""

    def ping(self) -> None:
        """Raises StoreAway when the store doesn't answer."""
