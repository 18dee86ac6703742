"""What a group of projections writes to: rows, the search index, the audit trail; for the engine all the same."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol
from uuid import UUID

from msgspec import Struct

from projections.changes import Batch
from projections.ports import AuditDocument, AuditTrail, Rows, SearchDocument, SearchIndex

_DELETED_AT_ONCE = 5_000


class RelationalProjection(Protocol):
    """A read model in PostgreSQL: its name, its tables, and its fold.

    Each table has `tenant_id, generation` first in its primary key. `project` must be idempotent: a batch may come
    again, and an older one after a newer one.
    """

    name: str
    tables: Sequence[str]

    def project(self, rows: Rows, batch: Batch) -> None:
        """Brings the rows to where the batch ends."""


class Statements(Protocol):
    """Statements of one tenant; `%(tenant)s` is set."""

    tenant: UUID

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Runs one statement; its rows as dictionaries."""


class Transaction(Statements, Protocol):
    """Statements of one tenant in one transaction."""

    def later(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Runs a statement whose rows nobody needs, in the round trip of the next one or of the commit."""


class Transactions(Protocol):
    """The database of checkpoints and relational read models. Raises StoreAway."""

    def read(
        self, tenant: UUID, sql: str, parameters: Mapping[str, Any] | None = None, *, one_plan: bool = False
    ) -> list[dict[str, Any]]:
        """Runs one query for one tenant, in a transaction of its own."""

    def transaction(self, tenant: UUID) -> AbstractContextManager[Transaction]:
        """A transaction for one tenant."""


class GenerationRows:
    """projections.ports.Rows over an open transaction."""

    def __init__(self, transaction: Statements, generation: int) -> None:
        self._transaction = transaction
        self.tenant = transaction.tenant
        self.generation = generation

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Runs one statement; `%(tenant)s` and `%(generation)s` are set."""
        return self._transaction.execute(sql, {"generation": self.generation, **(parameters or {})})


class Target(Protocol):
    """One projection, wherever it writes to.

    `published` says whether a generation is read as soon as its checkpoint is live; else `publish` must follow.
    """

    name: str
    published: ClassVar[bool]

    def apply(self, rows: Rows, batch: Batch) -> None:
        """Brings the generation of `rows` to where the batch ends. May be repeated freely."""

    def publish(self, tenant: UUID, generation: int) -> None:
        """Points the readers to a generation. May be repeated freely."""

    def forget(self, tenant: UUID, generation: int) -> None:
        """Deletes a generation that is not live."""


class RelationalTarget:
    """Rows in the checkpoint's own transaction."""

    published: ClassVar[bool] = True

    def __init__(self, projection: RelationalProjection, database: Transactions) -> None:
        self.name = projection.name
        self._projection = projection
        self._database = database

    def apply(self, rows: Rows, batch: Batch) -> None:
        """Lets the projection write its rows."""
        self._projection.project(rows, batch)

    def publish(self, tenant: UUID, generation: int) -> None:
        """Nothing: queries ask the checkpoint."""

    def forget(self, tenant: UUID, generation: int) -> None:
        """Deletes the rows, some thousand in each transaction."""
        for table in self._projection.tables:
            statement = (
                f"DELETE FROM {table} WHERE tenant_id = %(tenant)s AND ctid = ANY(ARRAY("  # noqa: S608
                f"SELECT ctid FROM {table} WHERE tenant_id = %(tenant)s AND generation = %(generation)s"
                " LIMIT %(rows)s)) RETURNING 1"
            )
            while True:
                with self._database.transaction(tenant) as transaction:
                    gone = transaction.execute(statement, {"generation": generation, "rows": _DELETED_AT_ONCE})
                if len(gone) < _DELETED_AT_ONCE:
                    break


class SearchTarget:
    """Documents of the touched records, acknowledged before the checkpoint moves."""

    published: ClassVar[bool] = False
    name = "search"

    def __init__(self, index: SearchIndex, documents: Callable[[Batch], Sequence[SearchDocument]]) -> None:
        self._index = index
        self._documents = documents

    def apply(self, rows: Rows, batch: Batch) -> None:
        """Writes the documents."""
        if documents := self._documents(batch):
            self._index.write(rows.tenant, rows.generation, documents)

    def publish(self, tenant: UUID, generation: int) -> None:
        """Points the tenant's alias to the generation."""
        self._index.publish(tenant, generation)

    def forget(self, tenant: UUID, generation: int) -> None:
        """Drops the generation."""
        self._index.drop(tenant, generation)


class AuditTarget:
    """One document per event, acknowledged before the checkpoint moves."""

    published: ClassVar[bool] = True
    name = "audit"

    def __init__(self, trail: AuditTrail, documents: Callable[[Batch], Sequence[AuditDocument]]) -> None:
        self._trail = trail
        self._documents = documents

    def apply(self, rows: Rows, batch: Batch) -> None:
        """Writes the documents."""
        if documents := self._documents(batch):
            self._trail.write(rows.tenant, rows.generation, documents)

    def publish(self, tenant: UUID, generation: int) -> None:
        """Nothing: queries ask the checkpoint."""

    def forget(self, tenant: UUID, generation: int) -> None:
        """Drops the generation."""
        self._trail.drop(tenant, generation)


class Group(Struct, frozen=True, kw_only=True):
    """Projections that are fed together. `sealed`: they see personal data sealed; `rebuilt`: rebuilds may move them."""

    name: str
    targets: tuple[Target, ...] = ()
    sealed: bool = False
    rebuilt: bool = True

    @property
    def names(self) -> list[str]:
        """The names of its projections."""
        return [target.name for target in self.targets]
