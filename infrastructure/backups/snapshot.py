"""One moment of the database, read by the roles that may read it.

Row-level security is forced, so the owner sees no rows: the monitor's role tells which logs there are, the
application's role reads one tenant after the other, the owner's which migrations were applied; all in the same
snapshot, which the first exports. Nothing needs a superuser, BYPASSRLS or a policy of its own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import LiteralString
from uuid import UUID

import psycopg
from msgspec import Struct
from psycopg import sql

from infrastructure.backups.copying import HEADER, TRAILER, columns_of, copy_out, listed, table
from infrastructure.backups.manifest import Head
from infrastructure.backups.tables import READ_MODELS, Kept

_IMPORT = sql.SQL("SET TRANSACTION SNAPSHOT {}")
_APPLIED: LiteralString = "SELECT migration_id FROM _yoyo_migration ORDER BY migration_id"
_CAUGHT_UP: LiteralString = (
    "SELECT projection, generation FROM projection_checkpoints"
    " WHERE tenant_id = %s AND live AND position = %s AND projection = ANY(%s)"
)
_SUBJECTS: LiteralString = "SELECT subject FROM keys.subject_keys WHERE tenant_id = %s ORDER BY subject"
_STORED: LiteralString = "SELECT file_id FROM stored_files WHERE tenant_id = %s"
_ROWS = sql.SQL("SELECT count(*) FROM {} WHERE tenant_id = {} AND generation = {}")


class Roles(Struct, frozen=True, kw_only=True):
    """The database as each role finds it: URLs."""

    app: str
    monitor: str
    owner: str


class Snapshot:
    """The open snapshot."""

    def __init__(self, app: psycopg.Connection, moment: datetime, heads: Mapping[UUID, Head], applied: Sequence[str]):
        self.moment = moment
        self.heads = heads
        self.migrations = applied
        self._app = app

    def columns(self, kept: Kept) -> list[str]:
        """The columns of a table."""
        return columns_of(self._app, kept.name)

    def copy(self, kept: Kept, write: Callable[[bytes], object], progress: Callable[[int], object]) -> int:
        """Writes all tenants' rows of a table as one COPY; how many they are."""
        number = 0
        write(HEADER)
        with self._app.cursor() as cursor:
            for tenant in self.heads:
                self._see(tenant)
                number += copy_out(cursor, self._select(kept, tenant), write)
                progress(number)
        write(TRAILER)
        return number

    def subjects(self) -> Iterator[tuple[UUID, UUID]]:
        """Tenant and subject of each key and tombstone, in order."""
        for tenant in self.heads:
            self._see(tenant)
            with self._app.cursor("subjects") as cursor:
                for (subject,) in cursor.execute(_SUBJECTS, (tenant,)):
                    yield tenant, subject

    def stored_files(self) -> set[tuple[UUID, UUID]]:
        """Tenant and id of each file that is counted."""
        found: set[tuple[UUID, UUID]] = set()
        for tenant in self.heads:
            self._see(tenant)
            found.update((tenant, file) for (file,) in self._app.execute(_STORED, (tenant,)))
        return found

    def read_models(self, tenant: UUID) -> dict[str, int]:
        """The numbers of rows of those read models of a tenant that stand where its log ends."""
        self._see(tenant)
        where = (tenant, self.heads[tenant].position, list(READ_MODELS))
        return {
            name: self._count(name, tenant, generation)
            for projection, generation in self._app.execute(_CAUGHT_UP, where).fetchall()
            for name in READ_MODELS[projection]
        }

    def _count(self, name: str, tenant: UUID, generation: int) -> int:
        query = _ROWS.format(table(name), sql.Literal(tenant), sql.Literal(generation))
        row = self._app.execute(query).fetchone()
        return 0 if row is None else int(row[0])

    def _see(self, tenant: UUID) -> None:
        self._app.execute("SELECT use_tenant(%s)", (tenant,))

    def _select(self, kept: Kept, tenant: UUID) -> sql.Composed:
        return sql.SQL("SELECT {} FROM {} WHERE tenant_id = {} ORDER BY {}").format(
            listed(self.columns(kept)), table(kept.name), sql.Literal(tenant), sql.Identifier(kept.order)
        )


@contextmanager
def snapshot(roles: Roles) -> Iterator[Snapshot]:
    """Opens a snapshot. Raises psycopg.OperationalError.

    Once the application's connection has it, it holds it alone.
    """
    with _reading(roles.app) as app:
        with _reading(roles.monitor) as monitor, _reading(roles.owner) as owner:
            exported, moment = monitor.execute("SELECT pg_export_snapshot(), clock_timestamp()").fetchall()[0]
            for connection in (app, owner):
                connection.execute(_IMPORT.format(sql.Literal(exported)))
            seen = Snapshot(app, moment, _heads(monitor), [each for (each,) in owner.execute(_APPLIED)])
        yield seen


def _heads(monitor: psycopg.Connection) -> dict[UUID, Head]:
    found = monitor.execute("SELECT tenant_id, position, chain_hash FROM tenant_heads ORDER BY tenant_id")
    return {tenant: Head(position=position, link=link.hex()) for tenant, position, link in found}


@contextmanager
def _reading(url: str) -> Iterator[psycopg.Connection]:
    """A connection in one transaction that sees one moment. Works behind a pooler by transactions, too."""
    with psycopg.connect(url, connect_timeout=10, prepare_threshold=None) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield connection
