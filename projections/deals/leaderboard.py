"""The leaderboard: who closed what, by owner, manager or office. Archived deals don't count."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from projections.deals.pipeline import Value
from projections.ports import Database
from projections.viewer import Viewer, visible

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
    """The result of a user (with today's name) or of an office (whose id is its name); None is nobody's."""

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
    that was closed again counts as it was closed last.
    """
    rows = database.read(
        viewer.tenant,
        _CLOSED[by],
        {
            "since": since,
            "until": until,
            "zone": viewer.time_zone,
            **viewer.seen,
        },
    )
    groups: dict[tuple[str | None, str | None], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["id"], row["name"]), []).append(row)
    items = [Standing(id=id, name=name, **_result(of_one)) for (id, name), of_one in groups.items()]
    items.sort(key=lambda item: (-_worth(item, currency), item.name is None, item.name or "", item.id or ""))
    return Leaderboard(items=items, total=Result(**_result(rows)))


def _result(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The fields of a result from rows per currency."""
    won, lost, days = 0, 0, Decimal(0)
    amounts: dict[str, Decimal] = {}
    for row in rows:
        won, lost, days = won + row["won"], lost + row["lost"], days + (row["days"] or 0)
        if row["amount"] is not None:
            amounts[row["currency"]] = amounts.get(row["currency"], Decimal(0)) + row["amount"]
    return {
        "won": won,
        "lost": lost,
        "values": [Value(amount=amounts[each], currency=each) for each in sorted(amounts)],
        "win_rate": won / (won + lost) if won + lost else None,
        "average_days_to_close": round(float(days / won), 2) if won else None,
    }


def _worth(item: Standing, currency: str) -> Decimal:
    return next((value.amount for value in item.values if value.currency == currency), Decimal(0))


# Deals are added up per owner before anything is joined. Days are counted by the clock on the tenant's wall, so that
# a change to summer time makes no day shorter.
def _closed(who: str, name: str) -> str:
    return f"""
WITH closed AS MATERIALIZED (
    SELECT d.owner, d.currency,
           count(*) FILTER (WHERE d.kind = 'won') AS won, count(*) FILTER (WHERE d.kind = 'lost') AS lost,
           sum(d.amount) FILTER (WHERE d.kind = 'won') AS amount,
           sum(extract(epoch FROM d.closed_at AT TIME ZONE %(zone)s - d.opened_at AT TIME ZONE %(zone)s) / 86400)
               FILTER (WHERE d.kind = 'won') AS days
    FROM deals d
    WHERE d.tenant_id = %(tenant)s AND d.generation = (
        SELECT generation FROM projection_checkpoints WHERE tenant_id = %(tenant)s AND projection = 'deals' AND live)
      AND d.kind <> 'open' AND NOT d.archived
      AND (%(since)s::date IS NULL OR d.closed_at >= %(since)s::date::timestamp AT TIME ZONE %(zone)s)
      AND (%(until)s::date IS NULL OR d.closed_at < (%(until)s::date + 1)::timestamp AT TIME ZONE %(zone)s)
      AND {visible("d.owner")}
    GROUP BY d.owner, d.currency
), people AS MATERIALIZED (
    SELECT id, name, manager, office FROM users
    WHERE tenant_id = %(tenant)s AND generation = (
        SELECT generation FROM projection_checkpoints WHERE tenant_id = %(tenant)s AND projection = 'users' AND live)
)
SELECT {who} AS id, {name} AS name, c.currency, sum(c.won)::bigint AS won, sum(c.lost)::bigint AS lost,
       sum(c.amount) AS amount, sum(c.days) AS days
FROM closed c LEFT JOIN people o ON o.id = c.owner LEFT JOIN people m ON m.id = o.manager
GROUP BY 1, 2, 3
"""  # noqa: S608


_CLOSED: Mapping[By, str] = {
    "owner": _closed("c.owner::text", "o.name"),
    "manager": _closed("o.manager::text", "m.name"),
    "office": _closed("o.office", "o.office"),
}
