"""Roles, and the migrations in `migrations/`: plain SQL, applied in the order of their numbers."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql
from yoyo import get_backend, read_migrations

MIGRATIONS = Path(__file__).parent / "migrations"

OWNER, APP, MONITOR = "clientforge_owner", "clientforge_app", "clientforge_monitor"

# What waits for a table makes all wait that come after it, so a migration soon gives up; and a statement ends when the
# process that sent it has gone.
_OPTIONS = "-c lock_timeout=5s -c client_connection_check_interval=1s"
_LOOKS_AGAIN_SECONDS = 0.5

# Every process may look whether its schema is there. yoyo makes the table, so no migration can grant it.
_SEEN_BY_ALL = "GRANT SELECT ON _yoyo_migration TO clientforge_app, clientforge_monitor"


def create_roles(superuser_url: str, passwords: dict[str, str]) -> None:
    """Makes the three roles, or gives them these passwords (role → password). None is a superuser or bypasses RLS."""
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        for role, password in passwords.items():
            exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
            statement = "ALTER ROLE {} {} PASSWORD {}" if exists else "CREATE ROLE {} {} PASSWORD {}"
            connection.execute(
                sql.SQL(statement).format(
                    sql.Identifier(role), sql.SQL("LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE"), sql.Literal(password)
                )
            )


def create_database(superuser_url: str, name: str) -> None:
    """Makes a database that the owner's role owns and nobody but the three roles may connect to."""
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            return
        database, owner = sql.Identifier(name), sql.Identifier(OWNER)
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8'").format(database, owner))
        connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(database))
        connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}, {}").format(
                database, sql.Identifier(APP), sql.Identifier(MONITOR)
            )
        )


def known(directory: Path = MIGRATIONS) -> list[str]:
    """The ids of the migrations that this release has, in their order."""
    return [each.id for each in read_migrations(str(directory))]


def applied(url: str) -> list[str]:
    """The ids of the migrations that a database has, in their order, as any of its roles. It changes nothing."""
    with psycopg.connect(url, connect_timeout=5, prepare_threshold=None) as connection:
        if connection.execute("SELECT to_regclass('_yoyo_migration')").fetchone() == (None,):
            return []
        return [id for (id,) in connection.execute("SELECT migration_id FROM _yoyo_migration ORDER BY migration_id")]


def pending(owner_url: str) -> Sequence[Any]:
    """The migrations that are not applied yet. It changes nothing."""
    there = set(applied(owner_url))
    return [each for each in read_migrations(str(MIGRATIONS)) if each.id not in there]


def migrate(
    owner_url: str,
    *,
    only: Collection[str] | None = None,
    directory: Path = MIGRATIONS,
    on_waiting: Callable[[], object] = lambda: None,
) -> list[str]:
    """Applies what is pending, or `only` these of it; the ids of what was applied.

    While another process does so this one waits, and says so once by `on_waiting`. Raises
    psycopg.errors.LockNotAvailable where a table is in use for too long: that migration then hasn't happened.
    """
    with _alone(owner_url, on_waiting) as connection:
        backend = get_backend(_yoyo_url(owner_url))
        try:
            backend.break_lock()  # yoyo's own lock outlives a killed process; whoever holds ours is the only one here
            migrations = backend.to_apply(read_migrations(str(directory)))
            if only is not None:
                migrations = migrations.filter(lambda each: each.id in only)
            backend.apply_migrations(migrations)
            connection.execute(_SEEN_BY_ALL)
            return [each.id for each in migrations]
        finally:
            backend.connection.close()


def text_of(migration: Any) -> str:
    """The SQL of a migration."""
    return Path(migration.path).read_text(encoding="utf-8")


@contextmanager
def _alone(owner_url: str, on_waiting: Callable[[], object]) -> Iterator[psycopg.Connection]:
    """A connection that holds the one row of `migration_lock`. PostgreSQL gives it back when this process dies.

    It is asked for again and again: a statement that waited for the row would hold a snapshot, for whose end
    CREATE INDEX CONCURRENTLY in the process that has the row would wait in turn.
    """
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("SET idle_in_transaction_session_timeout = 0")
        _make_lock(connection)
        told = False
        while True:
            with connection.transaction():
                if connection.execute("SELECT FROM migration_lock FOR UPDATE SKIP LOCKED").rowcount:
                    yield connection
                    return
            if not told:
                on_waiting()
                told = True
            time.sleep(_LOOKS_AGAIN_SECONDS)


def _make_lock(connection: psycopg.Connection) -> None:
    # IF NOT EXISTS doesn't help when two processes make it at the same moment: the second one's is a duplicate.
    with suppress(psycopg.errors.UniqueViolation, psycopg.errors.DuplicateTable):
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migration_lock (is_row boolean PRIMARY KEY DEFAULT true CHECK (is_row))"
        )
    connection.execute("INSERT INTO migration_lock DEFAULT VALUES ON CONFLICT DO NOTHING")


def _yoyo_url(url: str) -> str:
    scheme, rest = url.split("://", 1)
    if scheme not in ("postgresql", "postgres"):
        raise ValueError(f"a PostgreSQL URL is needed, not {scheme}://")
    return f"postgresql+psycopg://{rest}{'&' if '?' in rest else '?'}options={quote(_OPTIONS)}"
