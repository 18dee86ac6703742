"""THE list of projections, in their four groups, one per kind of target."""

from collections.abc import Sequence

from projections.accounts.directory import ACCOUNTS
from projections.audit.trail import audit_documents
from projections.contacts.directory import CONTACTS
from projections.deals.directory import DEALS
from projections.deals.periods import DealPeriods
from projections.identity.directory import USERS
from projections.pipelines.directory import PIPELINES
from projections.ports import AuditTrail, SearchIndex
from projections.products.directory import PRODUCTS
from projections.search import search_documents
from projections.targets import AuditTarget, Group, RelationalProjection, RelationalTarget, SearchTarget, Transactions
from projections.timeline import Timeline

RELATIONAL: tuple[RelationalProjection, ...] = (
    ACCOUNTS,
    CONTACTS,
    PRODUCTS,
    USERS,
    PIPELINES,
    DEALS,
    DealPeriods(),
    Timeline(),
)

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
