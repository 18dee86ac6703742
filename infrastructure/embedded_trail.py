"""The audit trail in PostgreSQL, for an installation without MongoDB."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from infrastructure.postgres import Database
from infrastructure.texts import are_storable
from projections.ports import AuditDocument, AuditQuery

_BATCH = 1_000
_DROPPED_AT_A_TIME = 5_000

# Arrays of texts go in binary (`b`): psycopg escapes each quote of a text array in Python, 0.3 ms for a document.
_PUT = """
INSERT INTO audit_logs (tenant_id, generation, position, entity, stream, actor, type, recorded_at, document)
SELECT %(tenant)s, %(generation)s, position, entity, stream, actor, type, recorded_at, document::json
FROM unnest(%(positions)s::bigint[], %(entities)b::text[], %(streams)b::text[], %(actors)b::text[], %(types)b::text[],
            %(recorded)s::timestamptz[], %(documents)b::text[])
    AS new (position, entity, stream, actor, type, recorded_at, document)
ON CONFLICT DO NOTHING
"""

_FIND = """
SELECT document::text AS document FROM audit_logs
WHERE tenant_id = %(tenant)s AND generation = %(generation)s
  AND (%(entity)s::text IS NULL OR entity = %(entity)s)
  AND (%(stream)s::text IS NULL OR stream = %(stream)s)
  AND (%(actor)s::text IS NULL OR actor = %(actor)s)
  AND (%(type)s::text IS NULL OR type = %(type)s)
  AND (%(since)s::timestamptz IS NULL OR recorded_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR recorded_at < %(until)s)
  AND (%(below)s::bigint IS NULL OR position < %(below)s)
  AND (%(positions)s::bigint[] IS NULL OR position = ANY(%(positions)s))
ORDER BY position DESC
LIMIT %(limit)s
"""

_DROP = """
WITH gone AS (
    DELETE FROM audit_logs
    WHERE tenant_id = %(tenant)s AND generation = %(generation)s AND position IN (
        SELECT position FROM audit_logs
        WHERE tenant_id = %(tenant)s AND generation = %(generation)s
        LIMIT %(limit)s)
    RETURNING 1
)
SELECT count(*) AS gone FROM gone
"""


class PostgresTrail:
    """AuditTrail in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._decoder = msgspec.json.Decoder(AuditDocument)

    def write(self, tenant: UUID, generation: int, documents: Sequence[AuditDocument]) -> None:
        """Adds documents, by position; one that is there already stays as it is."""
        for start in range(0, len(documents), _BATCH):
            batch = documents[start : start + _BATCH]
            columns = {
                "positions": [each.position for each in batch],
                "entities": [each.stream.partition("-")[0] for each in batch],
                "streams": [each.stream for each in batch],
                "actors": [each.actor for each in batch],
                "types": [each.type for each in batch],
                "recorded": [each.recorded_at for each in batch],
                "documents": [msgspec.json.encode(each).decode() for each in batch],
            }
            with self._database.transaction(tenant) as transaction:
                transaction.execute(_PUT, {"generation": generation, **columns})

    def find(self, tenant: UUID, generation: int, query: AuditQuery) -> list[AuditDocument]:
        """The matching documents of that tenant and generation, newest first."""
        if not are_storable((query.entity, query.stream, query.actor, query.type)):
            return []
        positions = None if query.positions is None else list(query.positions)
        parameters = {"generation": generation, **msgspec.structs.asdict(query), "positions": positions}
        return [self._decoder.decode(row["document"]) for row in self._database.read(tenant, _FIND, parameters)]

    def drop(self, tenant: UUID, generation: int) -> None:
        """Forgets a generation of the tenant, some rows at a time."""
        gone = _DROPPED_AT_A_TIME
        while gone == _DROPPED_AT_A_TIME:
            with self._database.transaction(tenant) as transaction:
                parameters = {"generation": generation, "limit": _DROPPED_AT_A_TIME}
                gone = transaction.execute(_DROP, parameters)[0]["gone"]

    def ping(self) -> None:
        """Raises StoreAway when PostgreSQL doesn't answer."""
        self._database.ping()
