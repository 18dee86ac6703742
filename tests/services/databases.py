"""A PostgreSQL server for tests, and fresh databases in it."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql


@dataclass(frozen=True, kw_only=True)
class Database:
    """One database of the test server."""

    name: str
    superuser_url: str

    def url(self, user: str, password: str) -> str:
        """The database's URL for a role that the test has made."""
        parts = urlsplit(self.superuser_url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{host}"))


@dataclass(kw_only=True)
class Postgres:
    """A server, by its superuser's URL. Roles belong to the whole server: name them after the database."""

    superuser_url: str
    made: list[Database] = field(default_factory=list)

    def database(self, *, template: str = "template0") -> Database:
        """Make a database: an empty one, or a copy of one that nobody is connected to. It goes with the test run."""
        name = f"test_{secrets.token_hex(6)}"
        with self._connection() as connection:
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        url = urlunsplit(urlsplit(self.superuser_url)._replace(path=f"/{name}"))
        database = Database(name=name, superuser_url=url)
        self.made.append(database)
        return database

    def drop(self, database: Database) -> None:
        """Remove a database now, ending whatever is connected to it."""
        with self._connection() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database.name)))
        self.made.remove(database)

    def drop_all(self) -> None:
        """Remove every database that was made here."""
        for database in list(self.made):
            self.drop(database)

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection]:
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            yield connection
