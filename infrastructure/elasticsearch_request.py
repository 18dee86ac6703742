"""What Elasticsearch is told of the search index: its mapping, its documents and its queries."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from infrastructure.elasticsearch_guard import UNOWNED
from projections.ports import SearchDocument, SearchQuery
from projections.search import asked_words, title_key, words

# Words are made here and not by an analyzer, so that every store finds the same. `title` and `texts` are kept for
# highlighting. `fields` is flattened: whatever is filtered by, in however many tenants, is one field of the mapping.
_WORDS: Mapping[str, Any] = {"type": "text", "analyzer": "whitespace"}
MAPPING: Mapping[str, Any] = {
    "dynamic": "strict",
    "_source": {"excludes": ["words", "title_words"]},
    "_routing": {"required": True},
    "properties": {
        "tenant_id": {"type": "keyword"},
        "id": {"type": "keyword"},
        "position": {"type": "long", "index": False},
        "title": {"type": "text", "index": False},
        "texts": {"type": "text", "index": False},
        "title_key": {"type": "keyword"},
        "title_words": _WORDS,
        "words": {**_WORDS, "index_prefixes": {}},
        "fields": {"type": "flattened", "ignore_above": 1024},
        "archived": {"type": "boolean"},
    },
}

_FUZZY: Mapping[str, Any] = {"fuzziness": "AUTO", "prefix_length": 1, "max_expansions": 100}


def source(tenant: UUID, document: SearchDocument) -> dict[str, Any]:
    """A document as it is indexed."""
    title_words = words(document.title)
    return {
        "tenant_id": str(tenant),
        "id": str(document.id),
        "position": document.position,
        "title": document.title,
        "texts": document.text,
        "title_key": title_key(document.title),
        "title_words": " ".join(title_words),
        "words": " ".join(dict.fromkeys([*title_words, *(word for text in document.text for word in words(text))])),
        "fields": document.fields,
        "archived": document.archived,
    }


def document(entity: str, found: Mapping[str, Any]) -> SearchDocument:
    """An indexed document as it was written."""
    return SearchDocument(
        entity=entity,
        id=UUID(found["id"]),
        position=found["position"],
        title=found["title"],
        text=tuple(found["texts"]),
        fields=found["fields"],
        archived=found["archived"],
    )


def search_body(query: SearchQuery, *, forgiving: bool = False) -> dict[str, Any]:
    """The request for one entity: all words must match, the same title comes first.

    A `forgiving` one takes typing errors, too. It costs several times as much, for the matches and the highlights.
    """
    asked = asked_words(query)
    text, key = " ".join(asked), title_key(query.text)
    all_words = {"query": text, "operator": "and"}
    matching = _FUZZY if forgiving else {}
    return {
        "size": query.limit,
        "track_total_hits": False,
        "_source": ["id", "title", "fields"],
        "sort": ["_score", {"title_key": "asc"}, {"id": "asc"}],
        "query": {
            "bool": {
                "filter": _filters(query),
                "must": {"bool": {"should": _matches({**all_words, **matching})}},
                "should": [
                    {"constant_score": {"filter": {"term": {"title_key": key}}, "boost": 1000}},
                    {"constant_score": {"filter": {"prefix": {"title_key": key}}, "boost": 100}},
                    {"match_bool_prefix": {"title_words": {**all_words, "boost": 5}}},
                    {"match_bool_prefix": {"words": {**all_words, "boost": 2}}},
                ],
            }
        },
        "highlight": {
            "encoder": "html",
            "require_field_match": False,
            "highlight_query": _highlighted(asked, matching),
            "fields": {"title": {"number_of_fragments": 0}, "texts": {"number_of_fragments": 3, "fragment_size": 120}},
        },
    }


def _filters(query: SearchQuery) -> list[dict[str, Any]]:
    filters: list[dict[str, Any]] = [{"term": {f"fields.{name}": value}} for name, value in query.filters.items()]
    if query.owners is not None:
        theirs = {"terms": {"fields.owner": [str(owner) for owner in query.owners]}}
        filters.append({"bool": {"should": [theirs, UNOWNED]}} if query.unowned else theirs)
    if not query.archived:
        filters.append({"term": {"archived": False}})
    return filters


def _matches(all_words: Mapping[str, Any]) -> list[dict[str, Any]]:
    """With the last word unfinished, and with it whole: an unfinished word can't have typing errors."""
    return [
        {"match_bool_prefix": {"words": all_words}},
        {"match": {"words": all_words}},
    ]


def _highlighted(asked: list[str], matching: Mapping[str, Any]) -> dict[str, Any]:
    # A prefix looked up in `index_prefixes` marks nothing, a wildcard does. Words are letters and digits alone.
    whole = {"match": {"words": {"query": " ".join(asked), **matching}}}
    return {"bool": {"should": [whole, {"wildcard": {"words": f"{asked[-1]}*"}}]}}
