"""A database aside, in which a recovery is rehearsed: on a server of its own for the time being, or on a given one.

A connection to it lives as long as the process that made it, however that ends: a database without any is a leftover.
"""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import LiteralString
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql

from infrastructure.backups.scratch_directory import CLUSTER, remove_leftovers, scratch_directory
from infrastructure.backups.snapshot import Roles
from infrastructure.embedded import EmbeddedPostgres
from infrastructure.migrate import APP, MONITOR, OWNER, create_database, create_roles

_DATABASE = "clientforge_drill_"
# A new database has no connection yet: nobody looks for leftovers while one is made.
_TURN: LiteralString = "SELECT pg_advisory_lock(hashtext('clientforge drill'))"
_UNUSED: LiteralString = """
SELECT d.datname FROM pg_database d WHERE d.datname ~ %s
AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = d.datname AND a.backend_type = 'client backend')
"""


@contextmanager
def scratch_database(server_url: str | None = None) -> Iterator[Roles]:
    """Makes an empty database, and removes it in the end, whatever happened.

    `server_url` is a superuser's on a server; without it, PostgreSQL out of its wheel runs in a temporary directory
    (of TMPDIR), which must have room for the whole database. What killed processes have left is removed first. Raises
    psycopg.Error, ServerDidNotStart.
    """
    remove_leftovers()
    with ExitStack() as stack:
        if server_url is None:
            place = stack.enter_context(scratch_directory())
            server_url = stack.enter_context(EmbeddedPostgres(place / CLUSTER)).superuser_url()
        yield stack.enter_context(_database(server_url))


@contextmanager
def _database(server_url: str) -> Iterator[Roles]:
    name = f"{_DATABASE}{secrets.token_hex(6)}"
    url = urlsplit(server_url)._replace(path=f"/{name}").geturl()
    _add_missing_roles(server_url)
    try:
        with _made(server_url, name, url):
            _act_as_owner(url)
            yield Roles(app=_as(APP, url), monitor=_as(MONITOR, url), owner=url)
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _made(server_url: str, name: str, url: str) -> psycopg.Connection:
    """Makes a database, after those were dropped that killed processes have left; a connection that says who lives."""
    with psycopg.connect(server_url, autocommit=True, connect_timeout=10) as connection:
        connection.execute(_TURN)
        for (left,) in connection.execute(_UNUSED, (f"^{_DATABASE}[0-9a-f]{{12}}$",)).fetchall():
            with suppress(psycopg.errors.ObjectInUse):
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(left)))
        create_database(server_url, name)
        return psycopg.connect(url, autocommit=True)


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
