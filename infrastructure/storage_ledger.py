"""How many bytes each tenant has stored, in PostgreSQL: exact, because whoever adds some holds the tenant's row."""

from uuid import UUID

from application.ports import StorageFull
from infrastructure.postgres import Database, Transaction


class PostgresLedger:
    """The files that are counted, and their sum. A limit is in bytes; None sets none."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def check_room(self, tenant: UUID, size: int, limit: int | None) -> None:
        """Raises StorageFull where so many more bytes don't fit now."""
        rows = self._database.read(tenant, "SELECT bytes FROM storage_use WHERE tenant_id = %(tenant)s")
        used = rows[0]["bytes"] if rows else 0
        # A file of nothing fits nowhere where nothing fits: there is no empty file.
        if limit is not None and used + max(1, size) > limit:
            raise _full(used, limit)

    def reserve(self, tenant: UUID, file: UUID, entity: str, record: UUID, size: int, limit: int | None) -> None:
        """Counts a file of a record. Raises StorageFull, and counts nothing, where it would pass the limit."""
        with self._database.transaction(tenant) as transaction:
            transaction.execute(
                "INSERT INTO storage_use (tenant_id, bytes) VALUES (%(tenant)s, 0) ON CONFLICT DO NOTHING"
            )
            [row] = transaction.execute(
                "UPDATE storage_use SET bytes = bytes + %(size)s WHERE tenant_id = %(tenant)s RETURNING bytes",
                {"size": size},
            )
            if limit is not None and row["bytes"] > limit:
                raise _full(row["bytes"] - size, limit)
            transaction.execute(
                "INSERT INTO stored_files (tenant_id, file_id, entity, record_id, bytes)"
                " VALUES (%(tenant)s, %(file)s, %(entity)s, %(record)s, %(size)s)",
                {"file": file, "entity": entity, "record": record, "size": size},
            )

    def release(self, tenant: UUID, file: UUID) -> None:
        """Counts a file no more; one that isn't counted changes nothing."""
        with self._database.transaction(tenant) as transaction:
            for row in _removed(transaction, file):
                transaction.execute(
                    "UPDATE storage_use SET bytes = bytes - %(size)s WHERE tenant_id = %(tenant)s",
                    {"size": row["bytes"]},
                )

    def files_of(self, tenant: UUID, entity: str, record: UUID) -> list[UUID]:
        """The files of a record that are counted."""
        rows = self._database.read(
            tenant,
            "SELECT file_id FROM stored_files"
            " WHERE tenant_id = %(tenant)s AND entity = %(entity)s AND record_id = %(record)s",
            {"entity": entity, "record": record},
        )
        return [row["file_id"] for row in rows]


def _removed(transaction: Transaction, file: UUID) -> list[dict[str, int]]:
    return transaction.execute(
        "DELETE FROM stored_files WHERE tenant_id = %(tenant)s AND file_id = %(file)s RETURNING bytes", {"file": file}
    )


def _full(used: int, limit: int) -> StorageFull:
    return StorageFull(
        f"Of {limit} bytes that this tenant may store, {max(0, limit - used)} are left.", used=used, limit=limit
    )
