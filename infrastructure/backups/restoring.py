"""Restores a backup into an empty database: all of it in one transaction, or nothing. Files follow the transaction.

The tables' owner does it. COPY can't write to tables whose row-level security binds who writes, so the transaction
lifts that from the owner (NO FORCE), and puts it back before it commits. Nobody else sees a table meanwhile: they are
locked.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import LiteralString

import psycopg
from msgspec import Struct
from psycopg import sql

from infrastructure.backups.copying import listed, table
from infrastructure.backups.flaws import BackupRefused
from infrastructure.backups.following import Found
from infrastructure.backups.manifest import Part
from infrastructure.backups.placing import FilesPlace
from infrastructure.backups.reading import Reader, Set, Write
from infrastructure.backups.tables import KEPT, KEYS
from infrastructure.migrate import applied, known, migrate
from projections.targets import Group

_TABLES: LiteralString = """
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('public', 'keys') AND c.relkind IN ('r', 'p') AND c.relrowsecurity
ORDER BY c.relname <> 'tenant_heads', 1
"""
_UNFORCED: LiteralString = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('public', 'keys') AND c.relrowsecurity AND NOT c.relforcerowsecurity
"""
# Stores outside may still hold generations of the lost database: this one's number is one that they never had.
_BEGIN_ANEW: LiteralString = """
INSERT INTO projection_checkpoints (tenant_id, projection, generation, position, live, published)
SELECT h.tenant_id, p.name, %s, 0, true, p.published
FROM tenant_heads h CROSS JOIN unnest(%s::text[], %s::boolean[]) AS p (name, published)
WHERE h.position > 0
"""
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_BUFFER = 256 * 1024
_PATIENCE = sql.SQL("SET LOCAL lock_timeout = '10s'")


class Restored(Struct, frozen=True, kw_only=True):
    """What was restored."""

    chosen: Set
    found: Found


def restore(
    owner_url: str, chosen: Set, reader: Reader, files: FilesPlace | None = None, groups: tuple[Group, ...] = ()
) -> Restored:
    """Restores into the database at `owner_url`, and files to where they belong.

    A database without tables gets those of the backup's time, and is brought up to date afterwards. `groups` are the
    projections that begin anew. Raises BackupRefused, BackupBroken (and then nothing was restored), psycopg.Error.
    """
    _prepare(owner_url, chosen)
    with psycopg.connect(owner_url, connect_timeout=10, prepare_threshold=None) as connection:
        tables = _lift_security(connection)
        found = reader.read(chosen, _Tables(connection), files)
        _shut_out_erased(connection, {part.name for part in chosen.data_manifest.parts})
        _begin_anew(connection, groups)
        _put_security_back(connection, tables)
        if files is not None:
            files.keep()
    migrate(owner_url)
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("ANALYZE")
    return Restored(chosen=chosen, found=found)


def _prepare(owner_url: str, chosen: Set) -> None:
    """Brings the tables to where they were when the backup was made."""
    wanted = set(chosen.data_manifest.migrations)
    if unknown := wanted - set(known()):
        raise BackupRefused(f"It was made by a newer release (with migration {min(unknown)}): restore it with that.")
    there = set(applied(owner_url))
    if not there:
        migrate(owner_url, only=wanted)
    elif there != wanted:
        raise BackupRefused(
            "The database has tables of another release than the backup. Restore into a database without any: they "
            "are made as they were, and brought up to date afterwards."
        )
    if set(chosen.keys_manifest.migrations) - set(known()):
        raise BackupRefused("The keys were backed up by a newer release: restore with that.")


def _lift_security(connection: psycopg.Connection) -> list[str]:
    """Lifts it from the owner; the tables. Raises BackupRefused at the first one that has rows: a database in use is
    found out by its first lock."""
    connection.execute(_PATIENCE)
    tables = [row[0] for row in connection.execute(_TABLES).fetchall()]
    for name in tables:
        connection.execute(sql.SQL("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY").format(table(name)))
        if connection.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(table(name))).rowcount:
            raise BackupRefused(
                f"The database is not empty: {name} has rows. A backup is restored into an empty one only."
            )
    return tables


def _put_security_back(connection: psycopg.Connection, tables: list[str]) -> None:
    for name in tables:
        connection.execute(sql.SQL("ALTER TABLE {} FORCE ROW LEVEL SECURITY").format(table(name)))
    if bare := connection.execute(_UNFORCED).fetchone():
        raise RuntimeError(f"row-level security is not forced on {bare[0]}")


def _shut_out_erased(connection: psycopg.Connection, restored: set[str]) -> None:
    """Who was erased after the backup doesn't log in with what it holds."""
    for each in KEPT:
        if each.person is not None and each.name in restored:
            connection.execute(
                sql.SQL(
                    "DELETE FROM {} t USING {} k"
                    " WHERE k.tenant_id = t.tenant_id AND k.subject = t.{} AND k.erased_at IS NOT NULL"
                ).format(table(each.name), table(KEYS.name), sql.Identifier(each.person))
            )


def _begin_anew(connection: psycopg.Connection, groups: tuple[Group, ...]) -> None:
    targets = [target for group in groups for target in group.targets]
    generation = int((datetime.now(UTC) - _EPOCH).total_seconds() // 60)
    names, published = [each.name for each in targets], [each.published for each in targets]
    connection.execute(_BEGIN_ANEW, (generation, names, published))


class _Tables:
    """The sink of a restore."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    @contextmanager
    def table(self, part: Part) -> Iterator[Write]:
        """Copies a table in."""
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(table(part.name), listed(part.columns))
        waiting = bytearray()

        def write(data: bytes) -> None:
            waiting.extend(data)
            if len(waiting) >= _BUFFER:
                copy.write(bytes(waiting))
                waiting.clear()

        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            yield write
            copy.write(bytes(waiting))
