"""API keys as a tenant's admins see and end them: everybody's. What users do with their own is in api_keys.py."""

from collections.abc import Collection, Sequence
from uuid import UUID

from msgspec import structs

from domain.kernel import NotFound
from domain.security.events import ApiKeysRevoked
from infrastructure.api_keys import ApiKey, api_key, revoked
from infrastructure.credentials import check_known
from infrastructure.postgres import Database
from infrastructure.security_log import SecurityLog
from infrastructure.sessions import Client
from projections.pages import Cursors, InvalidSort, Page, PageRequest


class KeyOfUser(ApiKey, frozen=True, kw_only=True):
    """A key, and whose it is."""

    user: UUID


class KeysOfUsers:
    """Lists and ends the keys of a tenant's users."""

    def __init__(self, database: Database, security: SecurityLog) -> None:
        self._database = database
        self._security = security

    def page(self, tenant: UUID, user: UUID | None, page: PageRequest) -> Page[KeyOfUser]:
        """Keys of all users or of one, the latest first. Raises InvalidCursor, InvalidSort or Invalid."""
        if page.checked().sort is not None:
            raise InvalidSort("Keys have one order: the latest first.", field="/sort")
        cursors = Cursors(tenant, "api-keys", user)
        below = cursors.place(page.cursor, (UUID,))[0] if page.cursor is not None else None
        rows = self._database.read(tenant, _PAGE, {"user": user, "below": below, "rows": page.limit + 1})
        items = [KeyOfUser(user=row["user_id"], **structs.asdict(api_key(row))) for row in rows[: page.limit]]
        return Page(items=items, next=cursors.after(items[-1].id) if len(rows) > page.limit else None)

    def end(
        self, tenant: UUID, user: UUID, keys: Collection[UUID] | None, actor: str, client: Client
    ) -> Sequence[UUID]:
        """Ends a user's keys at once, all or those that are named; which ones there were.

        Raises NotFound where there is no such user, or where one of the named keys isn't theirs: none is ended then.
        """
        with self._database.transaction(tenant) as transaction:
            check_known(transaction, user)
            ended = revoked(transaction, user, keys)
            if keys is not None and set(keys) - set(ended):
                raise NotFound("This user has no such API key.", field="/keys")
        if ended:
            self._security.note(tenant, user, (ApiKeysRevoked(keys=tuple(ended)),), actor, client)
        return ended


# A key's id tells when it was made.
_PAGE = """
SELECT * FROM api_keys
WHERE tenant_id = %(tenant)s AND (%(user)s::uuid IS NULL OR user_id = %(user)s)
  AND (%(below)s::uuid IS NULL OR key_id < %(below)s)
ORDER BY key_id DESC LIMIT %(rows)s
"""
