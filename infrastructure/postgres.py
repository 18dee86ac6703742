"""PostgreSQL as the application's role sees it: one tenant at a time, the setting gone with the transaction."""

import functools
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from msgspec import Struct
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from infrastructure.round_trip import Bound, Connection, ask, bound, is_outdated
from projections.ports import StoreAway, TookTooLong

log = logging.getLogger(__name__)

T = TypeVar("T")

_PASSING = frozenset({"42501", "XX000", "40001", "40P01", "57P01", "57P02", "57P03"})


_NOTICED = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
"""Within half a minute it is noticed that a server is gone without a word, as after a fail-over: the thread that waits
for its answer would wait for a quarter of an hour."""


class UnsafeRole(Exception):
    """The process runs as a database role that row-level security doesn't bind."""


def is_passing(error: BaseException) -> bool:
    """Whether a repetition may succeed: lost connections, and what a shard's move or split causes for a moment."""
    if isinstance(error, PoolTimeout | PoolClosed):
        return False
    if isinstance(error, psycopg.errors.UniqueViolation):
        return error.diag.table_name == "events" or not error.diag.table_name
    if isinstance(error, psycopg.Error) and error.sqlstate is not None:
        return error.sqlstate in _PASSING or is_outdated(error)
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)


_PATIENTLY = Retrying(
    retry=retry_if_exception(is_passing),
    stop=stop_after_attempt(3),
    wait=wait_random_exponential(multiplier=0.02, max=0.5),
    reraise=True,
)


@contextmanager
def _away() -> Iterator[None]:
    """Says StoreAway for a server that can't be reached or is shutting down, TookTooLong for what it cut off."""
    try:
        yield
    except (PoolTimeout, PoolClosed) as error:
        raise StoreAway(f"PostgreSQL: {error}") from error
    except psycopg.OperationalError as error:
        if isinstance(error, psycopg.errors.QueryCanceled):
            raise TookTooLong("PostgreSQL: a statement ran for too long") from error
        if error.sqlstate is None or error.sqlstate.startswith(("08", "57P")):
            raise StoreAway(f"PostgreSQL: {error}") from error
        raise
    except psycopg.Error as error:
        if is_outdated(error):
            raise StoreAway(f"PostgreSQL: {error}") from error
        raise


@contextmanager
def _ended(connection: Connection) -> Iterator[None]:
    """Rolls back what is left of a transaction when it fails."""
    try:
        yield
    except BaseException:
        if not connection.closed and connection.pgconn.transaction_status != TransactionStatus.IDLE:
            try:
                connection.rollback()
            except psycopg.Error:
                connection.close()
        raise


class Connections(Struct, frozen=True, kw_only=True):
    """A pool's connections: how many there are and may be, how many of them are idle, and how many callers wait."""

    size: int
    limit: int
    idle: int
    waiting: int


class Transaction:
    """Statements of one tenant in one transaction. It begins with the first of them."""

    def __init__(
        self,
        connection: Connection,
        tenant: UUID,
        opening: Sequence[str],
        on_error: Callable[[Connection, psycopg.Error], object],
    ) -> None:
        self.tenant = tenant
        self._connection = connection
        self._on_error = on_error
        self._later: list[Bound] = []
        for sql in opening:
            self.later(sql)

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Runs a statement; `%(tenant)s` is set. Its rows as dictionaries."""
        self.later(sql, parameters)
        statements, self._later = self._later, []
        try:
            return ask(self._connection, statements)[-1]
        except psycopg.Error as error:
            self._on_error(self._connection, error)
            if self._connection.pgconn.transaction_status == TransactionStatus.IDLE:
                self._connection.close()  # it didn't begin, or is over: nothing may run outside of it
            raise

    def later(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Runs a statement whose rows nobody needs, in the round trip of the next one or of the commit."""
        self._later.append(bound(self._connection, sql, {"tenant": self.tenant, **(parameters or {})}))

    def commit(self) -> None:
        """Ends it, with what was to be run later."""
        self.execute("COMMIT")


class Database:
    """A pool of connections of the application's role. Raises StoreAway when the server can't be reached.

    `query_seconds` bounds each statement of a read or transaction; None leaves them unbounded. It is set for the
    transaction alone: behind PgBouncer, a connection's own settings are lost, or met by the next client.
    `on_asked` is told how many seconds each round of work took, and whether it failed.
    """

    def __init__(
        self,
        dsn: str,
        *,
        connections: int = 16,
        prepare_threshold: int | None = None,
        query_seconds: float | None = None,
        on_asked: Callable[[float, bool], object] | None = None,
    ) -> None:
        self._on_asked = on_asked
        self._renewed = 0.0
        self._opening = ["BEGIN", "SELECT use_tenant(%(tenant)s)"]
        if query_seconds is not None:
            self._opening.append(f"SET LOCAL statement_timeout = {max(1, round(query_seconds * 1000))}")
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            dsn,
            connection_class=Connection,
            configure=lambda connection: setattr(connection, "threshold", prepare_threshold),
            kwargs={
                "autocommit": True,
                "prepare_threshold": None,
                "row_factory": dict_row,
                "application_name": "clientforge",
                "client_encoding": "utf8",
                **_NOTICED,
            },
            min_size=0,
            max_size=connections,
            timeout=5.0,
            open=True,
        )

    def close(self) -> None:
        """Closes all connections."""
        self._pool.close()

    def read(
        self, tenant: UUID, sql: str, parameters: Mapping[str, Any] | None = None, *, one_plan: bool = False
    ) -> list[dict[str, Any]]:
        """Runs one query for one tenant in one round trip; `%(tenant)s` is set. Its rows as dictionaries.

        `one_plan`: one plan is the best for all values and tenants, so that it may be prepared.
        """
        return self.read_all(tenant, (sql,), parameters, one_plan=one_plan)[0]

    def read_all(
        self,
        tenant: UUID,
        statements: Sequence[str],
        parameters: Mapping[str, Any] | None = None,
        *,
        one_plan: bool = False,
    ) -> list[list[dict[str, Any]]]:
        """Runs several queries in one round trip and one transaction."""
        values = {"tenant": tenant, **(parameters or {})}

        def run(connection: Connection) -> list[list[dict[str, Any]]]:
            asked = [bound(connection, sql, values) for sql in self._opening]
            asked += [bound(connection, sql, values, preparable=one_plan) for sql in statements]
            asked.append(bound(connection, "COMMIT", values))
            with _ended(connection):
                return ask(connection, asked)[len(self._opening) : -1]

        return self.run(run)

    def run(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` on a connection in autocommit mode; repeats it a few times when what failed may pass."""
        with _away():
            try:
                return self._once(work)
            except psycopg.Error as error:
                if not is_passing(error):
                    raise
                if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
                    self._pool.check()  # a server that has restarted has ended all idle connections, too
            result: T = _PATIENTLY(self._once, work)
            return result

    def _failed(self, connection: Connection, error: psycopg.Error) -> None:
        """Begins with new connections when a prepared statement is out of date, for the others have it, too. Those that
        are at work are replaced when they come back."""
        if is_outdated(error) and connection.made > self._renewed:
            self._renewed = time.monotonic()
            log.warning("a prepared statement is out of date, all connections to PostgreSQL are made anew: %s", error)
            self._pool.drain()

    def _once(self, work: Callable[[Connection], T]) -> T:
        connection = self._pool.getconn()  # not as a context: that would commit, and each statement does so already
        started, failed = time.perf_counter(), True
        try:
            answer = work(connection)
            failed = False
            return answer
        except psycopg.Error as error:
            self._failed(connection, error)
            raise
        finally:
            self._pool.putconn(connection)
            if self._on_asked is not None:
                self._on_asked(time.perf_counter() - started, failed)

    @contextmanager
    def transaction(self, tenant: UUID) -> Iterator[Transaction]:
        """A transaction for one tenant. It is not repeated."""
        with _away(), self._pool.connection() as connection, _ended(connection):
            transaction = Transaction(connection, tenant, self._opening, self._failed)
            yield transaction
            transaction.commit()

    def connections(self) -> Connections:
        """How the pool is used at this moment."""
        found = self._pool.get_stats()
        return Connections(
            size=found["pool_size"],
            limit=found["pool_max"],
            idle=found["pool_available"],
            waiting=found["requests_waiting"],
        )

    def ping(self) -> None:
        """Raises StoreAway when the server doesn't answer."""
        self.run(lambda connection: connection.execute("SELECT 1"))

    def refuse_unsafe_role(self) -> None:
        """Raises UnsafeRole for a superuser, a role with BYPASSRLS, and the owner of the tables."""
        row = self.run(lambda connection: connection.execute(UNSAFE_ROLE).fetchone())
        if row:
            raise UnsafeRole(
                f"Role '{row['name']}' {row['why']}, so row-level security would not bind it. "
                "DATABASE_URL must name the application's role (clientforge_app), made by `clientforge db migrate`."
            )


UNSAFE_ROLE = """
SELECT r.rolname AS name,
       CASE WHEN r.rolsuper THEN 'is a superuser' WHEN r.rolbypassrls THEN 'has BYPASSRLS' ELSE 'owns tables' END AS why
FROM pg_roles r
WHERE r.rolname = current_user AND (r.rolsuper OR r.rolbypassrls OR EXISTS (
    SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('public', 'keys') AND c.relkind IN ('r', 'p') AND pg_has_role(r.oid, c.relowner, 'USAGE')))
"""


@functools.cache
def shared_database(dsn: str) -> Database:
    """The process's one pool for a dsn, checked to be of a safe role."""
    database = Database(dsn)
    try:
        database.refuse_unsafe_role()
    except BaseException:
        database.close()
        raise
    return database
