"""Roles, and the migrations in `migrations/`: plain SQL, applied in the order of their numbers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from yoyo import get_backend, read_migrations

MIGRATIONS = Path(__file__).parent / "migrations"

OWNER, APP, MONITOR = "clientforge_owner", "clientforge_app", "clientforge_monitor"


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


def pending(owner_url: str) -> Sequence[Any]:
    """The migrations that are not applied yet."""
    backend = get_backend(_yoyo_url(owner_url))
    try:
        return list(backend.to_apply(read_migrations(str(MIGRATIONS))))
    finally:
        backend.connection.close()


def migrate(owner_url: str) -> list[str]:
    """Applies what is pending, one process at a time; the ids of what was applied."""
    backend = get_backend(_yoyo_url(owner_url))
    try:
        with backend.lock():
            migrations = backend.to_apply(read_migrations(str(MIGRATIONS)))
            backend.apply_migrations(migrations)
            return [each.id for each in migrations]
    finally:
        backend.connection.close()


def text_of(migration: Any) -> str:
    """The SQL of a migration."""
    return Path(migration.path).read_text(encoding="utf-8")


def _yoyo_url(url: str) -> str:
    scheme, rest = url.split("://", 1)
    if scheme not in ("postgresql", "postgres"):
        raise ValueError(f"a PostgreSQL URL is needed, not {scheme}://")
    return f"postgresql+psycopg://{rest}"
