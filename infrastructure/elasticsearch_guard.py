"""The last look at a search before it leaves, and at its hits before they are believed.

Requests are made of typed parameters, and the tenant's alias filters them. This is for the mistake that somebody makes
in that one day: whatever reaches beyond one tenant's alias is refused here.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

_PARTS = frozenset({"size", "track_total_hits", "_source", "sort", "query", "highlight"})
_QUERIES = frozenset({"bool", "term", "terms", "prefix", "match", "match_bool_prefix", "constant_score", "wildcard"})
_CLAUSES = frozenset({"filter", "must", "should", "boost"})
UNOWNED: Mapping[str, Any] = {"bool": {"must_not": [{"exists": {"field": "fields.owner"}}]}}
"""The one condition of a kind that passes in this very form alone."""
_OF_HEADERS = frozenset({"index", "allow_partial_search_results"})


class UnsafeSearch(Exception):
    """A search could have reached beyond its tenant: a mistake in this program, never sent."""


def check_searches(searches: Sequence[Mapping[str, Any]], aliases: Collection[str]) -> None:
    """Refuses a multi-search that asks anything else than these aliases, or in any other way than ours.

    Raises UnsafeSearch.
    """
    for header, body in zip(searches[::2], searches[1::2], strict=True):
        if header.get("index") not in aliases:
            raise UnsafeSearch(f"a search of {header.get('index')!r}, which is no alias of its tenant")
        _allowed(header, _OF_HEADERS, "a search with")
        _allowed(body, _PARTS, "a search with")
        _check_query(body["query"])
        _check_query(body["highlight"]["highlight_query"])


def check_hits(hits: Sequence[Mapping[str, Any]], tenant: UUID) -> None:
    """Refuses hits that aren't the tenant's. Raises UnsafeSearch."""
    for hit in hits:
        if not hit["_id"].startswith(f"{tenant}:"):
            raise UnsafeSearch("a hit of another tenant: its alias does not filter")


def _check_query(query: Mapping[str, Any]) -> None:
    if query == UNOWNED:
        return
    _allowed(query, _QUERIES, "a query by")
    for kind, said in query.items():
        if kind in ("bool", "constant_score"):
            _allowed(said, _CLAUSES, "a clause")
            for clause in _clauses(said):
                _check_query(clause)
        elif kind == "terms" and not all(isinstance(values, list) for values in said.values()):
            raise UnsafeSearch("a look-up of terms in another document")


def _clauses(said: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for name, clause in said.items():
        if name != "boost":
            yield from clause if isinstance(clause, list) else [clause]


def _allowed(said: Mapping[str, Any], names: Collection[str], what: str) -> None:
    for name in said:
        if name not in names:
            raise UnsafeSearch(f"{what} {name!r}")
