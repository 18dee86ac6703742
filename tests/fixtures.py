"""A migrated database with its three roles, and the event store over it: what most tests stand on."""

import base64
import hashlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from uuid_utils.compat import uuid7

from application.catalogue import EVENT_TYPES
from application.recording import Mapper
from infrastructure.event_store import PostgresEventStore
from infrastructure.keys import KeyRing, Wrapping
from infrastructure.migrate import APP, MONITOR, OWNER, create_database, create_roles, migrate
from infrastructure.postgres import Database

PASSWORDS = {OWNER: "owner-of-a-test", APP: "app-of-a-test", MONITOR: "monitor-of-a-test"}
MASTER_KEY = base64.b64encode(hashlib.sha256(b"the master key of all tests").digest()).decode()
JWT_SECRET = base64.b64encode(hashlib.sha384(b"the signing key of all tests").digest()).decode()
"""Both are as production demands them: some tests are of that."""
WIDE_LIMITS = {
    f"rate_limit_{name}": "1000000 per minute" for name in ("general", "auth", "login", "search", "upload", "ai")
}
"""Settings of systems that many tests ask from one address, or that a load is put on."""
_numbers = itertools.count(1)


@dataclass(frozen=True)
class DatabaseUrls:
    """One database, as each role sees it."""

    superuser: str
    owner: str
    app: str
    monitor: str


def _url(superuser_url: str, role: str, database: str) -> str:
    address = superuser_url.split("@", 1)[1].split("/", 1)[0]
    return f"postgresql://{role}:{PASSWORDS[role]}@{address}/{database}"


def _urls(superuser_url: str, database: str) -> DatabaseUrls:
    return DatabaseUrls(
        superuser=f"{superuser_url.rsplit('/', 1)[0]}/{database}",
        owner=_url(superuser_url, OWNER, database),
        app=_url(superuser_url, APP, database),
        monitor=_url(superuser_url, MONITOR, database),
    )


@pytest.fixture(scope="session")
def migrated_template(postgres) -> str:
    """A migrated database that others are copied from."""
    return prepare_template(postgres.superuser_url, PASSWORDS)


def prepare_template(superuser_url: str, passwords: dict[str, str]) -> str:
    """Makes the roles and a migrated database; its name."""
    name = f"template_{os.getpid()}"
    create_roles(superuser_url, passwords)
    create_database(superuser_url, name)
    migrate(_urls(superuser_url, name).owner)
    return name


def copied(superuser_url: str, template: str) -> DatabaseUrls:
    """A new database with all that the template has."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(template), sql.Identifier(OWNER)
            )
        )
    return _urls(superuser_url, name)


@pytest.fixture(scope="session")
def urls(postgres, migrated_template) -> DatabaseUrls:
    """A migrated database that tests share: each makes tenants of its own."""
    return copied(postgres.superuser_url, migrated_template)


@pytest.fixture(scope="module")
def copied_urls(postgres, migrated_template) -> DatabaseUrls:
    """A migrated database of one module of tests."""
    return copied(postgres.superuser_url, migrated_template)


@pytest.fixture(scope="module")
def copied_database(copied_urls) -> Iterator[Database]:
    """The module's database, as the application's role."""
    database = Database(copied_urls.app)
    yield database
    database.close()


@pytest.fixture
def fresh_urls(postgres, migrated_template) -> Iterator[DatabaseUrls]:
    """A migrated database of one test alone."""
    urls = copied(postgres.superuser_url, migrated_template)
    yield urls
    with psycopg.connect(postgres.superuser_url, autocommit=True) as connection:
        name = sql.Identifier(urls.app.rsplit("/", 1)[1])
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture(scope="session")
def database(urls) -> Iterator[Database]:
    """The shared database, as the application's role."""
    database = Database(urls.app)
    yield database
    database.close()


def event_store(database: Database) -> PostgresEventStore:
    """The event store over a database, under the tests' master key."""
    keyring = KeyRing(database, Wrapping(base64.b64decode(MASTER_KEY)))
    return PostgresEventStore(database, keyring, Mapper(EVENT_TYPES))


@pytest.fixture(scope="session")
def store(database) -> PostgresEventStore:
    """The event store over the shared database."""
    return event_store(database)


@pytest.fixture
def tenant() -> UUID:
    """A tenant of one test alone."""
    return uuid7()
