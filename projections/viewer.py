"""Who reads: every query takes a Viewer from the first one on."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from msgspec import Struct

from domain.permissions import Sight


class Viewer(Struct, frozen=True, kw_only=True):
    """A reader: of which tenant, who, and which owners' records they see (None: all of the tenant).

    `unowned`: besides these, what nobody owns. `kinds` are those of which they see what happened (None: all).
    """

    tenant: UUID
    user: UUID | None = None
    owners: frozenset[UUID] | None = None
    unowned: bool = False
    kinds: frozenset[str] | None = None
    time_zone: str = "UTC"
    """The tenant's, an IANA name: what a date without a time means."""

    @property
    def sight(self) -> Sight:
        """Whose records they see."""
        return Sight(owners=self.owners, unowned=self.unowned)

    @property
    def seen(self) -> Mapping[str, Any]:
        """The parameters of `visible`."""
        return {"owners": None if self.owners is None else list(self.owners), "unowned": self.unowned}


def visible(owner: str) -> str:
    """The SQL condition that a record with this owner, a column, is one that the viewer sees."""
    return f"(%(owners)s::uuid[] IS NULL OR {owner} = ANY(%(owners)s) OR (%(unowned)s AND {owner} IS NULL))"
