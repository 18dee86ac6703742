"""A database aside, in which a recovery is rehearsed: on a server of its own for the time being, or on a given one."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql

from infrastructure.backups.scratch_directory import CLUSTER, remove_leftovers, scratch_directory
from infrastructure.backups.snapshot import Roles
from infrastructure.embedded import EmbeddedPostgres
from infrastructure.migrate import APP, MONITOR, OWNER, create_database, create_roles


@contextmanager
def scratch_database(server_url: str | None = None) -> Iterator[Roles]:
    """Makes an empty database, and removes it in the end, whatever happened.

    `server_url` is a superuser's on a server; without it, PostgreSQL out of its wheel runs in a temporary directory
    (of TMPDIR), which must have room for the whole database. What killed processes have left there is removed first.
    Raises psycopg.Error, ServerDidNotStart.
    """
    remove_leftovers()
    with ExitStack() as stack:
        if server_url is None:
            place = stack.enter_context(scratch_directory())
            server_url = stack.enter_context(EmbeddedPostgres(place / CLUSTER)).superuser_url()
        yield stack.enter_context(_database(server_url))


@contextmanager
def _database(server_url: str) -> Iterator[Roles]:
    name = f"clientforge_drill_{secrets.token_hex(6)}"
    _add_missing_roles(server_url)
    create_database(server_url, name)
    try:
        url = urlsplit(server_url)._replace(path=f"/{name}").geturl()
        _act_as_owner(url)
        yield Roles(app=_as(APP, url), monitor=_as(MONITOR, url), owner=url)
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _add_missing_roles(server_url: str) -> None:
    """Makes the roles where they are missing; those that are there keep their passwords."""
    with psycopg.connect(server_url, connect_timeout=10) as connection:
        there = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles").fetchall()}
    create_roles(server_url, {role: secrets.token_urlsafe(24) for role in (OWNER, APP, MONITOR) if role not in there})


def _act_as_owner(url: str) -> None:
    """Lets the superuser's connections to this database be the owner's, unless they say whose they are: nobody's
    password is needed or changed."""
    with psycopg.connect(url, autocommit=True) as connection:
        user, database = (sql.Identifier(text) for text in (connection.info.user, connection.info.dbname))
        connection.execute(
            sql.SQL("ALTER ROLE {} IN DATABASE {} SET role = {}").format(user, database, sql.Literal(OWNER))
        )


def _as(role: str, url: str) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}options={quote(f'-c role={role}')}"
