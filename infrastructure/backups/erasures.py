"""Erases again whom an older state of the database has brought back, such as a recovery to a point in time."""

from collections.abc import Iterable
from uuid import UUID

from infrastructure.postgres import Database

_ERASE = """
UPDATE keys.subject_keys SET wrapped = NULL, erased_at = clock_timestamp()
WHERE tenant_id = %(tenant)s AND subject = ANY(%(subjects)s) AND wrapped IS NOT NULL RETURNING subject
"""


def erase_again(database: Database, erased: Iterable[tuple[UUID, UUID]]) -> int:
    """Destroys the keys of these subjects (tenant, subject) where they are there; how many that were.

    Raises StoreAway.
    """
    by_tenant: dict[UUID, list[UUID]] = {}
    for tenant, subject in erased:
        by_tenant.setdefault(tenant, []).append(subject)
    number = 0
    for tenant, subjects in by_tenant.items():
        with database.transaction(tenant) as transaction:
            number += len(transaction.execute(_ERASE, {"subjects": subjects}))
    return number
