"""Search over HTTP."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from litestar import Request
from msgspec import Meta, Struct

from api.operations import Call, Operation
from api.refusals import Fault, InvalidRequest
from application.handling import Forbidden
from projections.pages import MOST
from projections.ports import Hit
from projections.search import SEARCHED, find


class SearchFor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to look for. `types` are kinds of records, with commas between them; all of them unless told otherwise."""

    q: Annotated[str, Meta(min_length=1, max_length=500, examples=["lovel"])]
    types: Annotated[tuple[str, ...], Meta(examples=["account,deal"])] = ()
    owner: UUID | None = None
    archived: bool = False
    limit: Annotated[int, Meta(ge=1, le=MOST)] = 20


class Found(Struct, frozen=True, kw_only=True):
    """The best hits, of each kind of record at most `limit`."""

    items: list[Hit]


def search(call: Call[None, SearchFor]) -> Found:
    """The best hits among the kinds of records that the reader may read. Raises InvalidRequest or Forbidden."""
    asked = call.query
    entities = _entities(asked.types)
    if not entities:
        raise InvalidRequest([Fault("/types", f"Give some of: {', '.join(SEARCHED)}.")])
    readable = [each for each in entities if f"{each}:read" in call.principal.permissions]
    if not readable:
        raise Forbidden(f"This needs the permission {entities[0]}:read.")
    items = find(
        call.services.search,
        call.viewer,
        asked.q,
        entities=readable,
        filters={} if asked.owner is None else {"owner": str(asked.owner)},
        limit=asked.limit,
        archived=asked.archived,
    )
    return Found(items=items)


def _concerned(request: Request[Any, Any, Any]) -> Sequence[str]:
    """Of whose writes the answer tells: a document is made of its own record alone."""
    return _entities(tuple(",".join(request.query_params.getall("types", [])).split(","))) or SEARCHED


def _entities(types: tuple[str, ...]) -> list[str]:
    """The kinds that are named, in the singular or as in their addresses; none where one is unknown."""
    known = {name: entity for entity in SEARCHED for name in (entity, f"{entity}s")}
    named = [known.get(each, "") for each in types or SEARCHED]
    return list(dict.fromkeys(named)) if all(named) else []


OPERATIONS: list[Operation] = [
    Operation(
        method="GET",
        path="/search",
        name="search",
        summary="Find accounts, contacts and deals by words, the last one perhaps unfinished.",
        tag="search",
        run=search,
        answer=Found,
        query=SearchFor,
        waits=("search",),
        concerns=_concerned,
        limit="search",
        long=True,
        refuses=(Forbidden,),
    )
]
