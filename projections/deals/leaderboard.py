"""The leaderboard: who closed what, by owner, manager or office."""

from datetime import date
from typing import Any, Literal

from msgspec import Struct

from projections.deals.pipeline import Value
from projections.ports import Database
from projections.viewer import Viewer

By = Literal["owner", "manager", "office"]


class Result(Struct, frozen=True, kw_only=True):
    """Closed deals: `values` are those won, `win_rate` is from 0 to 1, None when nothing was closed.

    `average_days_to_close` is from the opening to the winning, None when nothing was won.
    """

    won: int = 0
    lost: int = 0
    values: list[Value] = []
    win_rate: float | None = None
    average_days_to_close: float | None = None


class Standing(Result, frozen=True, kw_only=True):
    """The result of a user (`id` and today's name) or of an office (its name twice); None is nobody's."""

    id: str | None
    name: str | None


class Leaderboard(Struct, frozen=True, kw_only=True):
    """Who won most comes first; `total` is of all of them."""

    items: list[Standing]
    total: Result


def leaderboard(
    database: Database,
    viewer: Viewer,
    *,
    by: By = "owner",
    since: date | None = None,
    until: date | None = None,
    currency: str = "USD",
) -> Leaderboard:
    """The standings of deals closed from `since` to `until`, both included, as days of the tenant's time zone.

    They are sorted by the amount won in `currency`, highest first, then by name. A reopened deal doesn't count, one
    that was closed again counts as it was closed last; an archived one doesn't.
    """
    raise NotImplementedError
