"""The search index in Elasticsearch 9: an index per entity and generation, a filtered and routed alias per tenant."""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import msgspec
from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch

from infrastructure.elasticsearch_guard import check_hits, check_searches
from infrastructure.elasticsearch_lifecycle import lifecycle_template, set_up_lifecycle
from infrastructure.elasticsearch_request import MAPPING, document, search_body, source
from projections.ports import DocumentRefused, Hit, NotPublished, SearchDocument, SearchQuery, StoreAway
from projections.search import SEARCHED, asked_words

# Refusals that say nothing about what was asked: credentials, load, a node or a shard that is away.
_AWAY = frozenset({401, 403, 408, 429, 500, 502, 503, 504})
_BULK_DOCUMENTS = 2_000
_BULK_BYTES = 8_000_000
_PAGE = 2_000


def template_name(prefix: str, entity: str) -> str:
    """By which the indices of an entity are made."""
    return f"{prefix}-{entity}s"


def index_name(prefix: str, entity: str, generation: int) -> str:
    """An entity's index of a generation, of all tenants."""
    return f"{prefix}-{entity}s-g{generation}"


def alias_name(prefix: str, entity: str, tenant: UUID) -> str:
    """What a tenant's searches of an entity go through."""
    return f"{prefix}-{entity}s-{tenant}"


class ElasticsearchIndex:
    """SearchIndex in Elasticsearch; `url` names one node, or several between commas.

    `prefix` begins every name: `clientforge-accounts-g1` is an index, `clientforge-accounts-<tenant>` an alias. A
    document is named by tenant and id, routed by tenant, and versioned by its position in the tenant's log.
    `replicas` is a range that follows the number of nodes. Nothing is sent before the first use.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "clientforge",
        entities: Sequence[str] = SEARCHED,
        shards: int = 1,
        replicas: str = "0-1",
        refresh_interval: str = "1s",
        timeout: float = 10.0,
    ) -> None:
        self._client = Elasticsearch(
            url.split(","), request_timeout=timeout, max_retries=1, retry_on_status=(), retry_on_timeout=False
        )
        self._prefix = prefix
        self._entities = tuple(entities)
        # A deletion's version is forgotten at once, so that a dropped generation can be filled again from the start.
        self._settings = {
            "number_of_shards": shards,
            "auto_expand_replicas": replicas,
            "refresh_interval": refresh_interval,
            "gc_deletes": "0s",
        }
        self._made: set[str] = set()

    def close(self) -> None:
        """Closes all connections."""
        self._client.close()

    def write(self, tenant: UUID, generation: int, documents: Sequence[SearchDocument]) -> None:
        """Puts documents, by (entity, id); one whose position is not above the stored one changes nothing.

        Raises DocumentRefused for one that Elasticsearch can't take; the others of its request are written.
        """
        for entity in {each.entity for each in documents}:
            self._make_index(entity, generation)
        self._bulk(self._put(tenant, generation, each) for each in documents)

    def publish(self, tenant: UUID, generation: int) -> None:
        """From now on the tenant's searches read this generation; the aliases of all entities move at once."""
        actions: list[Mapping[str, Any]] = []
        for entity in self._entities:
            self._make_index(entity, generation)
            alias = self._alias(entity, tenant)
            everywhere = f"{self._prefix}-{entity}s-g*"
            own = {"filter": {"term": {"tenant_id": str(tenant)}}, "routing": str(tenant)}
            actions += [
                {"remove": {"index": everywhere, "alias": alias, "must_exist": False}},
                {"add": {"index": self._index(entity, generation), "alias": alias, **own}},
            ]
        with _reaching(always_passing=True):
            # What was written before the readers move must be findable after.
            self._client.indices.refresh(index=[self._index(entity, generation) for entity in self._entities])
            self._client.indices.update_aliases(actions=actions)

    def refresh(self, entities: Collection[str]) -> None:
        """Makes all acknowledged writes of these entities findable, whichever tenant's they are."""
        with _reaching():
            self._client.indices.refresh(index=[f"{self._prefix}-{each}s-g*" for each in entities])

    def search(self, tenant: UUID, query: SearchQuery) -> list[Hit]:
        """The best hits of the published generation, per entity best first. Raises NotPublished.

        Typing errors are looked for only where nothing matches what was typed.
        """
        if not asked_words(query) or not query.entities:
            return []
        entities = list(dict.fromkeys(query.entities))
        return self._search(tenant, entities, search_body(query)) or self._search(
            tenant, entities, search_body(query, forgiving=True)
        )

    def _search(self, tenant: UUID, entities: Sequence[str], body: Mapping[str, Any]) -> list[Hit]:
        searches: list[Mapping[str, Any]] = []
        for alias in self._aliases(entities, tenant):
            searches += [{"index": alias, "allow_partial_search_results": False}, body]
        check_searches(searches, self._aliases(self._entities, tenant))
        with _reaching():
            answers = self._client.msearch(searches=searches)["responses"]
        found = [_hits_of(answer, tenant) for answer in answers]
        return [_hit(entity, hit) for entity, hits in zip(entities, found, strict=True) for hit in hits]

    def drop(self, tenant: UUID, generation: int) -> None:
        """Forgets a generation of the tenant. Raises ValueError for the published one."""
        with _reaching():
            aliases = self._aliases(self._entities, tenant)
            live = self._client.indices.get_alias(name=aliases, ignore_unavailable=True, allow_no_indices=True)
        indices = [self._index(entity, generation) for entity in self._entities]
        if any(index in live for index in indices):
            raise ValueError(f"generation {generation} of tenant {tenant} is published")
        gone = sum(self._delete_all(index, tenant) for index in indices)
        if gone:
            # Its clock, by which Elasticsearch forgets the versions of deletions, ticks every 200 ms.
            time.sleep(0.4)

    def documents(self, tenant: UUID, generation: int, entity: str) -> list[SearchDocument]:
        """All documents of an entity in a generation, by id."""
        index = self._index(entity, generation)
        fields = ["id", "position", "title", "texts", "fields", "archived"]
        return [document(entity, hit["_source"]) for hit in self._all(index, tenant, fields)]

    def set_up_lifecycle(self) -> None:
        """Has the indices follow a lifecycle policy. Raises LifecycleUnsupported."""
        with _reaching():
            set_up_lifecycle(self._client, self._prefix)

    def ping(self) -> None:
        """Raises StoreAway when the cluster doesn't answer or has no master."""
        with _reaching():
            self._client.options(request_timeout=2).cluster.health(master_timeout="1s", timeout="1s")

    def _index(self, entity: str, generation: int) -> str:
        return index_name(self._prefix, entity, generation)

    def _alias(self, entity: str, tenant: UUID) -> str:
        return alias_name(self._prefix, entity, tenant)

    def _aliases(self, entities: Iterable[str], tenant: UUID) -> list[str]:
        return [self._alias(entity, tenant) for entity in entities]

    def _make_index(self, entity: str, generation: int) -> None:
        """Makes an index unless it is there; several processes may do so at once.

        The template comes first: if somebody removes the index, the next write makes it anew, just the same.
        """
        index = self._index(entity, generation)
        if index in self._made:
            return
        with _reaching(always_passing=True):
            if not self._client.indices.exists(index=index):
                self._client.indices.put_index_template(
                    name=template_name(self._prefix, entity),
                    index_patterns=[f"{self._prefix}-{entity}s-g*"],
                    priority=200,
                    template={"settings": self._settings, "mappings": MAPPING},
                    composed_of=[lifecycle_template(self._prefix)],
                    ignore_missing_component_templates=[lifecycle_template(self._prefix)],
                )
                try:
                    self._client.indices.create(index=index)
                except ApiError as error:
                    if error.error != "resource_already_exists_exception":
                        raise
        self._made.add(index)

    def _put(self, tenant: UUID, generation: int, document: SearchDocument) -> bytes:
        action = {
            "_index": self._index(document.entity, generation),
            "_id": f"{tenant}:{document.id}",
            "routing": str(tenant),
            "version": document.position,
            "version_type": "external",
        }
        return msgspec.json.encode({"index": action}) + b"\n" + msgspec.json.encode(source(tenant, document))

    def _bulk(self, operations: Iterable[bytes]) -> None:
        for body in _requests(operations):
            with _reaching():
                answer = self._client.bulk(
                    operations=body,
                    timeout="5s",
                    filter_path=["errors", "items.*._id", "items.*.status", "items.*.error"],
                )
            if answer["errors"]:
                self._raise_for([result for item in answer["items"] for result in item.values()])

    def _raise_for(self, results: Sequence[Mapping[str, Any]]) -> None:
        """Raises for what failed. A version conflict means that a newer document is there already."""
        failed = [each for each in results if "error" in each and each["status"] != 409]
        for each in failed:
            if each["status"] == 404:  # somebody removed the index, and the cluster makes none by itself
                self._made.clear()
            if each["status"] in _AWAY | {404}:
                raise StoreAway(f"Elasticsearch: {each['error']}")
        for each in failed:
            raise DocumentRefused(f"{each['_id']}: {each['error']}")

    def _all(self, index: str, tenant: UUID, fields: Collection[str]) -> Iterator[dict[str, Any]]:
        """All documents of a tenant in an index that are acknowledged now, by id; none where there is no index."""
        with _reaching():
            self._client.indices.refresh(index=index, ignore_unavailable=True)
        after = None
        while True:
            with _reaching():
                hits = self._client.search(
                    index=index,
                    routing=str(tenant),
                    query={"term": {"tenant_id": str(tenant)}},
                    sort=["id"],
                    size=_PAGE,
                    search_after=after,
                    source_includes=list(fields),
                    ignore_unavailable=True,
                    allow_partial_search_results=False,
                )["hits"]["hits"]
            yield from hits
            if len(hits) < _PAGE:
                return
            after = hits[-1]["sort"]

    def _delete_all(self, index: str, tenant: UUID) -> int:
        gone = 0

        def deletions() -> Iterator[bytes]:
            nonlocal gone
            for hit in self._all(index, tenant, ["id"]):
                gone += 1
                yield msgspec.json.encode({"delete": {"_index": index, "_id": hit["_id"], "routing": str(tenant)}})

        self._bulk(deletions())
        return gone


def _requests(operations: Iterable[bytes]) -> Iterator[list[Any]]:
    """The operations in portions of a bounded number and size. (The client sends bytes as they are; its types don't
    say so.)"""
    portion: list[Any] = []
    size = 0
    for operation in operations:
        if portion and (len(portion) >= _BULK_DOCUMENTS or size + len(operation) > _BULK_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(operation)
        size += len(operation)
    if portion:
        yield portion


@contextmanager
def _reaching(*, always_passing: bool = False) -> Iterator[None]:
    """StoreAway for what may pass; that is every refusal of what is about the cluster and about no document."""
    try:
        yield
    except TransportError as error:
        raise StoreAway(f"Elasticsearch: {error}") from error
    except ApiError as error:
        if always_passing or error.status_code in _AWAY:
            raise StoreAway(f"Elasticsearch: {error}") from error
        raise


def _hits_of(answer: Mapping[str, Any], tenant: UUID) -> Sequence[Mapping[str, Any]]:
    if "error" not in answer:
        hits: Sequence[Mapping[str, Any]] = answer["hits"]["hits"]
        check_hits(hits, tenant)
        return hits
    if answer["status"] == 404:
        raise NotPublished(f"tenant {tenant} has no search index yet")
    if answer["status"] in _AWAY:
        raise StoreAway(f"Elasticsearch: {answer['error']}")
    raise ValueError(f"Elasticsearch refused a query: {answer['error']}")


def _hit(entity: str, hit: Mapping[str, Any]) -> Hit:
    highlights = hit.get("highlight", {})
    return Hit(
        entity=entity,
        id=UUID(hit["_source"]["id"]),
        score=hit["sort"][0],
        title=hit["_source"]["title"],
        fields=hit["_source"]["fields"],
        highlights=[*highlights.get("title", ()), *highlights.get("texts", ())],
    )
