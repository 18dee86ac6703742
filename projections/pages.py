"""Pages of lists: how they are asked for, and the cursors that go on behind a page's last row.

A cursor holds the last row's place in the order, behind a digest of the list that it belongs to. It carries no
right: a forged one shows no row that its bearer could not list from the start.
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
from msgspec import Struct

from domain.kernel import Invalid, Refused

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
        try:
            digest, *place = msgspec.json.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            if digest == self._digest and len(place) == len(types) and not any("\0" in str(each) for each in place):
                return [msgspec.convert(value, each) for value, each in zip(place, types, strict=True)]
        except (ValueError, TypeError):
            pass
        raise InvalidCursor("This cursor does not belong to this list: start without one.", field="/cursor")
