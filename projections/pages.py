"""Pages of lists: how they are asked for, and the cursors that go on behind a page's last row.

A cursor holds the last row's place in the order, behind a digest of the list that it belongs to. It carries no
right: a forged one shows no row that its bearer could not list from the start. Those that leave over HTTP are signed
besides (api/pages.py).
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from decimal import Decimal
from types import GenericAlias
from typing import Annotated, Any, ClassVar, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

from domain.kernel import Invalid, Refused
from domain.values import check_texts

R = TypeVar("R")

MOST = 200


class InvalidCursor(Refused):
    """The cursor is none of ours, or belongs to another list, order or filter: start again without it."""

    code: ClassVar[str] = "invalid_cursor"


class InvalidSort(Refused):
    """The list can't be sorted by that field."""

    code: ClassVar[str] = "invalid_sort"


class Page(Struct, Generic[R], frozen=True, kw_only=True):
    """Rows of a list, and the cursor of the page behind them; None where there is none."""

    items: list[R]
    next: str | None = None


class PageRequest(Struct, frozen=True, kw_only=True):
    """Which page: `sort` names a field, with a minus before it for the highest first; None is the list's own order."""

    sort: str | None = None
    cursor: str | None = None
    limit: int = 50

    def checked(self) -> "PageRequest":
        """This request. Raises Invalid for a limit out of range."""
        if not 1 <= self.limit <= MOST:
            raise Invalid(f"A page has 1 to {MOST} rows.", field="/limit")
        return self


class Cursors:
    """Cursors of one list, known by all that makes its order: tenant, entity, sort, filters."""

    def __init__(self, *of: Any) -> None:
        self._digest = hashlib.sha256(msgspec.json.encode(of, order="deterministic")).hexdigest()[:16]

    def after(self, *place: Any) -> str:
        """The cursor that goes on behind this place in the order."""
        return urlsafe_b64encode(msgspec.json.encode((self._digest, *place))).decode().rstrip("=")

    def place(self, cursor: str, types: Sequence[Any]) -> list[Any]:
        """The place that a cursor goes on behind, as values of these types. Raises InvalidCursor."""
        place: list[Any]
        try:
            raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            digest, *place = msgspec.json.decode(raw, type=GenericAlias(tuple, (str, *types)))
            check_storable(*place)
        except (ValueError, msgspec.MsgspecError, Invalid):
            digest, place = None, []
        if digest != self._digest:
            raise InvalidCursor("This cursor does not belong to this list: start without one.", field="/cursor")
        return place


Position = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""A place in a tenant's log, as a cursor says it."""


def check_storable(*values: Any, field: str = "") -> None:
    """Refuses what the database can't even compare with: control characters in texts, and numbers beyond reason."""
    for value in values:
        check_texts(value, field)
        if isinstance(value, Decimal) and not (
            value.is_finite() and abs(value.adjusted()) < 100 and len(value.as_tuple().digits) < 100
        ):
            raise Invalid("This number is out of range.", field=field)
