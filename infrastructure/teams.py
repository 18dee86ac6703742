"""Who is below whom, by the table that every append keeps: a changed manager counts for the next request."""

from uuid import UUID

from infrastructure.postgres import Database


def team(database: Database, tenant: UUID, user: UUID) -> frozenset[UUID]:
    """All users whose manager a user is, or whose manager's manager, and so on, active or not; in one round trip.

    A circle of managers, which the rules don't allow, ends where it closes.
    """
    return frozenset(row["user_id"] for row in database.read(tenant, _TEAM, {"user": user}, one_plan=True))


# UNION drops what was found before, so a circle ends.
_TEAM = """
WITH RECURSIVE team AS (
    SELECT p.user_id FROM principals p WHERE p.tenant_id = %(tenant)s AND p.manager = %(user)s
    UNION
    SELECT p.user_id FROM team t JOIN principals p ON p.tenant_id = %(tenant)s AND p.manager = t.user_id
)
SELECT user_id FROM team
"""
