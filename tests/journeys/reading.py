"""What the readers of a tenant see, each thing under a key that says where it is seen: to be compared as a whole."""

from collections.abc import Callable, Collection
from typing import Any

from tests.journeys.system import System

Seen = dict[tuple[str, Any], Any]
Part = Callable[[System], Seen]

KINDS = ("accounts", "contacts", "deals")
LISTS = (*KINDS, "products", "users", "pipelines")
WORD = "Journey"
"""Is in the names of the records that `search` shows: a search ends after 200 of a kind."""


def body(kind: str, name: str, **others: Any) -> dict[str, Any]:
    """A new record; its name has two words."""
    first, last = name.split()
    if kind == "contacts":
        return {"first_name": first, "last_name": last, "emails": [{"address": f"{last}@example.com"}], **others}
    return {"name": name, **others}


def lists(system: System) -> Seen:
    """Every row of every list."""
    return {(path, row["id"]): row for path in LISTS for row in system.all(f"/{path}")}


def search(system: System) -> Seen:
    """What is found by the word, without what depends on all other documents."""
    hits = system.get("/search", q=WORD, limit=200)["items"]
    return {("search", hit["id"]): (hit["entity"], hit["title"], hit["fields"]) for hit in hits}


def audit(system: System) -> Seen:
    """Every entry of the trail."""
    return {("audit", entry["position"]): entry for entry in system.all("/audit")}


def analytics(system: System) -> Seen:
    """The stages of the pipelines, and who won what."""
    stages = {("pipeline", stage["stage_id"]): stage for stage in system.get("/analytics/pipeline")["stages"]}
    winners = system.get("/analytics/leaderboard")["items"]
    return {**stages, **{("leaderboard", each["id"]): each for each in winners}}


PARTS: tuple[Part, ...] = (lists, search, audit, analytics)


def everything(system: System) -> Seen:
    """All of it."""
    return {key: value for part in PARTS for key, value in part(system).items()}


def lost(before: Seen, now: Seen, touched: Collection[Any]) -> Seen:
    """What was seen before and isn't now, or not as it was; what was touched meanwhile must only be there."""
    return {
        key: (value, now.get(key))
        for key, value in before.items()
        if key not in now or (key[1] not in touched and now[key] != value)
    }
