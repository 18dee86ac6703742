"""THE list of projections, in their four groups, one per kind of target, and that of the queries over the rows."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, get_args
from uuid import UUID

from projections.accounts.directory import ACCOUNTS
from projections.audit.trail import audit_documents
from projections.contacts.directory import CONTACTS
from projections.deals.directory import DEALS
from projections.deals.leaderboard import By, leaderboard
from projections.deals.periods import DealPeriods
from projections.deals.pipeline import pipeline
from projections.directories import Directory
from projections.files.directory import FILES
from projections.identity.directory import USERS
from projections.pages import PageRequest
from projections.pipelines.directory import PIPELINES
from projections.ports import AuditTrail, Database, SearchIndex
from projections.products.directory import PRODUCTS
from projections.search import search_documents
from projections.targets import AuditTarget, Group, RelationalProjection, RelationalTarget, SearchTarget, Transactions
from projections.timeline import Timeline, timeline
from projections.viewer import Viewer

RELATIONAL: tuple[RelationalProjection, ...] = (
    ACCOUNTS,
    CONTACTS,
    PRODUCTS,
    USERS,
    PIPELINES,
    DEALS,
    FILES,
    DealPeriods(),
    Timeline(),
)

DIRECTORIES: tuple[Directory[Any, Any], ...] = tuple(each for each in RELATIONAL if isinstance(each, Directory))

Query = Callable[[Database, Viewer, UUID], Any]
"""Asks for what a viewer sees: of one record where the query is about one."""


def _queries() -> Mapping[str, Query]:
    queries: dict[str, Query] = {}
    for each in DIRECTORIES:
        queries[f"{each.name}, one"] = each.get
        for sort in each.sorts:
            for direction in ("", "-"):
                queries[f"{each.name} by {direction}{sort}"] = partial(_page, each, direction + sort)
    for entity in ("account", "contact", "deal", "file"):
        queries[f"timeline of {entity}"] = partial(_timeline, entity)
    for by in get_args(By):
        queries[f"leaderboard by {by}"] = partial(_leaderboard, by)
    queries["pipeline"] = lambda database, viewer, _record: pipeline(database, viewer, now=datetime.now(UTC))
    queries["pipeline as of an instant"] = lambda database, viewer, _record: pipeline(
        database, viewer, now=(now := datetime.now(UTC)), as_of=now
    )
    return queries


def _page(directory: Directory[Any, Any], sort: str, database: Database, viewer: Viewer, _record: UUID) -> Any:
    return directory.page(database, viewer, directory.filters(), PageRequest(sort=sort))


def _leaderboard(by: By, database: Database, viewer: Viewer, _record: UUID) -> Any:
    return leaderboard(database, viewer, by=by)


def _timeline(entity: str, database: Database, viewer: Viewer, record: UUID) -> Any:
    return timeline(database, viewer, entity, record, PageRequest())


QUERIES: Mapping[str, Query] = _queries()
"""Every query over the relational read models, by name: what is checked to keep tenants apart."""

GROUPS: tuple[str, ...] = ("relational", "search", "audit")
"""The groups that are woken: `reactions` has no projection yet."""


def groups(
    database: Transactions,
    search: SearchIndex,
    audit: AuditTrail,
    relational: Sequence[RelationalProjection] = RELATIONAL,
) -> tuple[Group, ...]:
    """The groups over their stores."""
    return (
        Group(name="relational", targets=tuple(RelationalTarget(each, database) for each in relational)),
        Group(name="search", targets=(SearchTarget(search, search_documents),)),
        Group(name="audit", targets=(AuditTarget(audit, audit_documents),), sealed=True),
        Group(name="reactions", rebuilt=False),
    )
