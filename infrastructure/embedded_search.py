"""The search index in PostgreSQL, for an installation without Elasticsearch: no typing errors, no highlighting."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import msgspec

from infrastructure.postgres import Database
from infrastructure.texts import are_storable
from projections.ports import Hit, NotPublished, SearchDocument, SearchQuery
from projections.search import asked_words, title_key, words

_BATCH = 2_000
_DROPPED_AT_A_TIME = 5_000

# Arrays of texts go in binary (`b`): psycopg escapes each quote of a text array in Python, which took most of the time.
_PUT = """
INSERT INTO search_documents AS stored
    (tenant_id, generation, entity, id, position, title, title_key, texts, fields, words, archived)
SELECT %(tenant)s, %(generation)s,
       entity, id, position, title, title_key, texts::jsonb, fields::jsonb, words::tsvector, archived
FROM unnest(%(entities)b::text[], %(ids)s::uuid[], %(positions)s::bigint[], %(titles)b::text[], %(keys)b::text[],
            %(texts)b::text[], %(fields)b::text[], %(words)b::text[], %(archived)s::boolean[])
    AS new (entity, id, position, title, title_key, texts, fields, words, archived)
ON CONFLICT (tenant_id, generation, entity, id) DO UPDATE
SET position = excluded.position, title = excluded.title, title_key = excluded.title_key, texts = excluded.texts,
    fields = excluded.fields, words = excluded.words, archived = excluded.archived
WHERE excluded.position > stored.position
"""

_PUBLISH = """
INSERT INTO search_generations (tenant_id, generation) VALUES (%(tenant)s, %(generation)s)
ON CONFLICT (tenant_id) DO UPDATE SET generation = excluded.generation
"""

_PUBLISHED = "SELECT generation FROM search_generations WHERE tenant_id = %(tenant)s"

# A score is 2 for the same title, 1 for a title that begins with the text, and less than 1 for how well words match.
_SEARCH = """
WITH found AS (
    SELECT document.entity, document.id, document.title, document.title_key, document.fields,
           (document.title_key = %(key)s)::integer * 2 + starts_with(document.title_key, %(key)s)::integer
               + ts_rank(document.words, %(words)s::tsquery, 32) AS score
    FROM search_documents document
    JOIN search_generations live ON live.tenant_id = document.tenant_id AND live.generation = document.generation
    WHERE document.tenant_id = %(tenant)s AND document.entity = ANY(%(entities)s)
      AND document.words @@ %(words)s::tsquery
      AND (%(archived)s OR NOT document.archived)
      AND (%(owners)s::text[] IS NULL OR document.fields ->> 'owner' = ANY(%(owners)s)
          OR (%(unowned)s AND document.fields ->> 'owner' IS NULL))
      AND NOT EXISTS (
          SELECT FROM jsonb_each_text(%(filters)s::jsonb) AS asked
          WHERE (document.fields ->> asked.key = asked.value OR document.fields -> asked.key ? asked.value) IS NOT TRUE)
), placed AS (
    SELECT *, row_number() OVER (PARTITION BY entity ORDER BY score DESC, title_key, id) AS place FROM found
)
SELECT entity, id, title, fields, score FROM placed
WHERE place <= %(limit)s
ORDER BY array_position(%(entities)s, entity), place
"""

_DROP = """
WITH gone AS (
    DELETE FROM search_documents
    WHERE tenant_id = %(tenant)s AND generation = %(generation)s AND (entity, id) IN (
        SELECT entity, id FROM search_documents
        WHERE tenant_id = %(tenant)s AND generation = %(generation)s
        LIMIT %(limit)s)
    RETURNING 1
)
SELECT count(*) AS gone FROM gone
"""

_DOCUMENTS = """
SELECT entity, id, position, title, texts AS text, fields, archived FROM search_documents
WHERE tenant_id = %(tenant)s AND generation = %(generation)s AND entity = %(entity)s
ORDER BY id
"""


class PostgresIndex:
    """SearchIndex in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, tenant: UUID, generation: int, documents: Sequence[SearchDocument]) -> None:
        """Puts documents, by (entity, id); one whose position is not above the stored one changes nothing."""
        # Sorted, so that two writers lock rows in the same order; one statement can't write a row twice.
        newest = {(each.entity, each.id): each for each in sorted(documents, key=lambda each: each.position)}
        ordered = [newest[key] for key in sorted(newest)]
        for start in range(0, len(ordered), _BATCH):
            with self._database.transaction(tenant) as transaction:
                transaction.execute(_PUT, {"generation": generation, **_columns(ordered[start : start + _BATCH])})

    def publish(self, tenant: UUID, generation: int) -> None:
        """From now on the tenant's searches read this generation."""
        with self._database.transaction(tenant) as transaction:
            transaction.execute(_PUBLISH, {"generation": generation})

    def refresh(self, entities: Collection[str]) -> None:
        """Nothing to do: what is committed is findable."""

    def search(self, tenant: UUID, query: SearchQuery) -> list[Hit]:
        """The best hits of the published generation, per entity best first. Raises NotPublished."""
        asked = asked_words(query)
        values = [*query.filters, *query.filters.values()]
        if not asked or not query.entities or not are_storable(values):
            return []
        parameters = {
            "key": title_key(query.text),
            "words": " & ".join([*(f"'{word}'" for word in asked[:-1]), f"'{asked[-1]}':*"]),
            "entities": list(dict.fromkeys(query.entities)),
            "filters": msgspec.json.encode(query.filters).decode(),
            "owners": None if query.owners is None else [str(owner) for owner in query.owners],
            "unowned": query.unowned,
            "archived": query.archived,
            "limit": query.limit,
        }
        published, found = self._database.read_all(tenant, (_PUBLISHED, _SEARCH), parameters)
        if not published:
            raise NotPublished(f"tenant {tenant} has no search index yet")
        return msgspec.convert(found, list[Hit])

    def drop(self, tenant: UUID, generation: int) -> None:
        """Forgets a generation of the tenant, some rows at a time. Raises ValueError for the published one."""
        published = self._database.read(tenant, _PUBLISHED)
        if published and published[0]["generation"] == generation:
            raise ValueError(f"generation {generation} of tenant {tenant} is published")
        gone = _DROPPED_AT_A_TIME
        while gone == _DROPPED_AT_A_TIME:
            with self._database.transaction(tenant) as transaction:
                parameters = {"generation": generation, "limit": _DROPPED_AT_A_TIME}
                gone = transaction.execute(_DROP, parameters)[0]["gone"]

    def documents(self, tenant: UUID, generation: int, entity: str) -> list[SearchDocument]:
        """All documents of an entity in a generation, by id."""
        rows = self._database.read(tenant, _DOCUMENTS, {"generation": generation, "entity": entity})
        return [SearchDocument(**{**row, "text": tuple(row["text"])}) for row in rows]

    def ping(self) -> None:
        """Raises StoreAway when PostgreSQL doesn't answer."""
        self._database.ping()


def _columns(documents: Sequence[SearchDocument]) -> dict[str, list[Any]]:
    return {
        "entities": [each.entity for each in documents],
        "ids": [each.id for each in documents],
        "positions": [each.position for each in documents],
        "titles": [each.title for each in documents],
        "keys": [title_key(each.title) for each in documents],
        "texts": [msgspec.json.encode(each.text).decode() for each in documents],
        "fields": [msgspec.json.encode(each.fields).decode() for each in documents],
        "words": [_vector(each) for each in documents],
        "archived": [each.archived for each in documents],
    }


def _vector(document: SearchDocument) -> str:
    """The words in PostgreSQL's notation, those of the title with the greatest weight (A).

    Words are letters and digits alone, so nothing in them needs an escape, and PostgreSQL's own parser, which would
    cut texts in other places, has no part in it.
    """
    weights = {word: "B" for text in document.text for word in words(text)}
    weights.update(dict.fromkeys(words(document.title), "A"))
    return " ".join(f"'{word}':1{weight}" for word, weight in weights.items())
