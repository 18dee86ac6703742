"""PostgreSQL: that each role gets in, may do what it must and no more, and finds the schema of this release."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg

from infrastructure.backups.tables import TABLES
from infrastructure.checks.addresses import address
from infrastructure.findings import Finding, failure, ok, warning
from infrastructure.migrate import applied, known
from infrastructure.postgres import UNSAFE_ROLE
from infrastructure.schema_scan import row_level_security
from infrastructure.settings import Settings

_OLDEST = 15
_CONNECTION, _VERSION = "PostgreSQL connection", "PostgreSQL version"
_ROLES, _SCHEMA = "PostgreSQL roles", "PostgreSQL migrations"

_PRIVILEGED = """
SELECT rolname AS name, CASE WHEN rolsuper THEN 'is a superuser' ELSE 'has BYPASSRLS' END AS why
FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)
"""
_BLIND = """
SELECT current_user AS name, 'can''t see how far the tenants'' logs are' AS why
WHERE to_regclass('tenant_heads') IS NOT NULL AND NOT has_table_privilege('tenant_heads', 'SELECT')
UNION ALL
SELECT current_user, 'can read events, of which it needs none'
WHERE to_regclass('events') IS NOT NULL AND has_table_privilege('events', 'SELECT')
"""
_NOT_OWNER = """
SELECT current_user AS name, 'doesn''t own the tables, so it can''t migrate them' AS why
FROM pg_class WHERE oid = to_regclass('events') AND NOT pg_has_role(current_user, relowner, 'USAGE')
"""
_FLAWS = {
    "DATABASE_URL": (UNSAFE_ROLE,),
    "DATABASE_OWNER_URL": (_PRIVILEGED, _NOT_OWNER),
    "DATABASE_MONITOR_URL": (UNSAFE_ROLE, _BLIND),
}
_PUBLISHED = """
SELECT tenant_id, generation FROM projection_checkpoints
WHERE projection = %s AND live AND published AND position > 0
"""

_GONE = "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NULL ORDER BY name"


def postgresql(settings: Settings) -> list[Finding]:
    """Connection, version, roles, migrations and row-level security."""
    urls = _urls(settings)
    connections = [_connects(name, url) for name, url in urls.items()]
    if any(each.result != "ok" for each in connections):
        return connections
    url = urls["DATABASE_URL"]
    return [*connections, *_version(url), *_roles(urls), *schema(url), *_rows(url)]


def published(settings: Settings, projection: str) -> dict[UUID, int] | None:
    """The live generation of a projection in each tenant where it has been fed; None where that can't be seen."""
    url = _urls(settings).get("DATABASE_MONITOR_URL")
    if url is None:
        return None
    try:
        with _asking(url) as connection:
            return dict(connection.execute(_PUBLISHED, (projection,)).fetchall())
    except psycopg.Error:
        return None


def _urls(settings: Settings) -> dict[str, str]:
    named = {name: getattr(settings, name.lower()) for name in _FLAWS}
    return {name: url.get_secret_value() for name, url in named.items() if url is not None}


@contextmanager
def _asking(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A transaction that takes seconds at most. What is set goes with it: behind a pooler others come after."""
    with psycopg.connect(url, connect_timeout=3, prepare_threshold=None) as connection:
        connection.execute("SET LOCAL statement_timeout = '5s'")
        yield connection


def _connects(name: str, url: str) -> Finding:
    started = time.perf_counter()
    try:
        with _asking(url):
            pass
    except psycopg.OperationalError as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        return failure(
            _CONNECTION,
            f"{name}: {address(url)}: {why}",
            "see whether it runs, and whether role and password are right",
        )
    except psycopg.Error as error:  # a URL that can't be understood is quoted in the message
        return failure(_CONNECTION, f"{name}: {type(error).__name__}", "see .env.example for how it is written")
    return ok(_CONNECTION, f"{name}: {address(url)} answers in {(time.perf_counter() - started) * 1000:.0f} ms")


def _version(url: str) -> list[Finding]:
    with _asking(url) as connection:
        number = connection.info.server_version // 10_000
    if number < _OLDEST:
        return [failure(_VERSION, f"version {number} is too old", f"version {_OLDEST} or newer is needed")]
    return [ok(_VERSION, f"version {number}")]


def _roles(urls: dict[str, str]) -> list[Finding]:
    found = []
    for name, url in urls.items():
        with _asking(url) as connection:
            rows = [row for query in _FLAWS[name] for row in connection.execute(query).fetchall()]
        found += [
            failure(_ROLES, f"{name}: {role} {why}", "see docs/commandline.md for the roles") for role, why in rows
        ]
    if "DATABASE_MONITOR_URL" not in urls:
        found.append(warning(_ROLES, "DATABASE_MONITOR_URL is not set", "the sweeper can't run without it"))
    return found or [ok(_ROLES, f"{len(urls)} roles may do what they must, and no more")]


def schema(url: str) -> list[Finding]:
    """The migrations of a database against those of this release, and the tables that they make."""
    ours = known()
    try:
        there = applied(url)
    except psycopg.errors.InsufficientPrivilege:
        return [failure(_SCHEMA, "which are applied can't be seen by this role", "clientforge db migrate lets it see")]
    except psycopg.Error as error:
        told = f"which are applied can't be seen ({type(error).__name__})"
        return [failure(_SCHEMA, told, "see the checks of connection and roles: clientforge verify services")]
    if missing := [each for each in ours if each not in there]:
        return [
            failure(_SCHEMA, f"{len(missing)} migrations are missing, first {missing[0]}", "clientforge db migrate")
        ]
    if newer := [each for each in there if each not in ours]:
        return [warning(_SCHEMA, f"{newer[-1]} is of a newer release", "finish the roll-out of that release")]
    with _asking(url) as connection:
        gone = [name for (name,) in connection.execute(_GONE, (TABLES,)).fetchall()]
    if gone:
        told = f"all are applied, but there is no table {', '.join(gone)}"
        return [failure(_SCHEMA, told, "restore a backup: somebody dropped it (docs/backup.md)")]
    return [ok(_SCHEMA, f"{len(ours)} migrations are applied, the last is {ours[-1]}")]


def _rows(url: str) -> list[Finding]:
    """What the security scan finds. There, a database that can't be asked is skipped; here it was just asked."""
    return row_level_security(url)
