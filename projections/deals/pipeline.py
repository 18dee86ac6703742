"""The pipeline: what stands in each stage, now or as of a day or an instant. Archived deals don't count."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any, ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct

from domain.kernel import Refused
from domain.neighbours import StageKind
from projections.deals.totals import NOBODY
from projections.ownership import live
from projections.ports import Database
from projections.viewer import Viewer, visible


class InTheFuture(Refused):
    """Nothing is known of the future."""

    code: ClassVar[str] = "in_the_future"


class Value(Struct, frozen=True, kw_only=True):
    """An amount; sums of different currencies are never added. A currency that nobody gave is None."""

    amount: Decimal
    currency: str | None


class StageTotals(Struct, frozen=True, kw_only=True):
    """The deals in a stage. `pipeline` and `stage` are today's names; `probability` is the stage's, a percentage.

    `values` are the deals' amounts per currency, `weighted` the same times each deal's own probability.
    """

    pipeline: str | None
    stage: str | None
    kind: StageKind
    probability: int | None
    deals: int
    values: list[Value]
    weighted: list[Value]
    pipeline_id: UUID
    stage_id: UUID


class PipelineReport(Struct, frozen=True, kw_only=True):
    """Each stage of each pipeline, in their order; of an archived pipeline, the stages that deals are in.

    `as_of` is the day or instant that it shows.
    """

    as_of: date | datetime
    stages: list[StageTotals]


def pipeline(
    database: Database, viewer: Viewer, *, now: datetime, as_of: date | datetime | None = None
) -> PipelineReport:
    """The pipeline now, or as of an instant or the end of a day in the tenant's time zone. Raises InTheFuture."""
    if as_of is None:
        found = database.read(viewer.tenant, _NOW, viewer.seen)
    else:
        instant = _instant(as_of, now, ZoneInfo(viewer.time_zone))
        found = database.read(viewer.tenant, _THEN, {"instant": instant, **viewer.seen})
    stages = groupby(found, lambda row: (row["pipeline_id"], row["stage_id"]))
    return PipelineReport(as_of=as_of or now, stages=[_totals(list(rows)) for _, rows in stages])


def _instant(as_of: date | datetime, now: datetime, zone: ZoneInfo) -> datetime:
    """The last instant that `as_of` means; without an offset, it is one of the tenant's time zone."""
    if isinstance(as_of, datetime):
        instant = as_of if as_of.tzinfo else as_of.replace(tzinfo=zone)
        if instant > now:
            raise InTheFuture("This instant is still to come.", field="/as_of")
        return instant
    if as_of > now.astimezone(zone).date():
        raise InTheFuture("This day is still to come.", field="/as_of")
    midnight = datetime.combine(as_of + timedelta(days=1), time(), zone)
    return midnight.astimezone(UTC) - timedelta(microseconds=1)


def _totals(rows: list[dict[str, Any]]) -> StageTotals:
    """One stage from its rows, of which there is one per currency."""
    labels = {name: rows[0][name] for name in ("pipeline", "stage", "probability", "pipeline_id", "stage_id")}
    return StageTotals(
        **labels,
        kind=StageKind(rows[0]["kind"]),
        deals=sum(row["deals"] for row in rows),
        values=[Value(amount=row["amount"], currency=row["currency"]) for row in rows if row["amount"] is not None],
        weighted=[
            Value(amount=row["weighted"], currency=row["currency"]) for row in rows if row["weighted"] is not None
        ],
    )


def _stages(totals: str) -> str:
    """What stands in each stage; `totals` is a query by stage and currency."""
    return f"""
WITH stages AS (
    SELECT p.id AS pipeline_id, p.name AS pipeline, p.name_key, p.is_default, p.archived,
           (s.stage ->> 'id')::uuid AS stage_id, s.stage ->> 'name' AS stage, s.stage ->> 'kind' AS kind,
           (s.stage ->> 'probability')::integer AS probability, s.number
    FROM pipelines p, jsonb_array_elements(p.document -> 'stages') WITH ORDINALITY AS s (stage, number)
    WHERE p.tenant_id = %(tenant)s AND p.generation = {live("pipelines")}
), totals AS (
    {totals}
)
SELECT pipeline_id, stage_id, s.pipeline, s.stage, coalesce(s.kind, t.kind) AS kind, s.probability,
       coalesce(t.deals, 0) AS deals, t.currency, t.amount, t.weighted
FROM stages s FULL JOIN totals t USING (pipeline_id, stage_id)
WHERE s.archived IS NOT TRUE OR t.deals > 0
ORDER BY s.is_default DESC NULLS LAST, s.name_key, pipeline_id, s.number, stage_id, t.currency
"""  # noqa: S608


_NOW = _stages(f"""
    SELECT d.pipeline AS pipeline_id, d.stage AS stage_id, min(d.kind) AS kind, nullif(d.currency, '') AS currency,
           sum(d.deals)::bigint AS deals, CASE WHEN sum(d.priced) > 0 THEN sum(d.amount) END AS amount,
           CASE WHEN sum(d.priced) > 0 THEN trim_scale(sum(d.weighted) * 0.01) END AS weighted
    FROM deal_totals d
    WHERE d.tenant_id = %(tenant)s AND d.generation = {live("deal_periods")} AND d.deals > 0
      AND {visible(f"nullif(d.owner, '{NOBODY}')")}
    GROUP BY d.pipeline, d.stage, d.currency
""")  # noqa: S608

_THEN = _stages(f"""
    SELECT d.pipeline AS pipeline_id, d.stage AS stage_id, min(d.kind) AS kind, d.currency, count(*) AS deals,
           sum(d.amount) AS amount, trim_scale(sum(d.amount * d.probability) * 0.01) AS weighted
    FROM deal_periods d
    WHERE d.tenant_id = %(tenant)s AND d.generation = {live("deal_periods")} AND NOT d.archived
      AND d.valid_from <= %(instant)s AND (d.valid_to IS NULL OR d.valid_to > %(instant)s)
      AND (%(owners)s::uuid[] IS NULL OR EXISTS (
        SELECT FROM deals o
        WHERE o.tenant_id = %(tenant)s AND o.id = d.deal AND {visible("o.owner")} AND o.generation = {live("deals")}))
    GROUP BY d.pipeline, d.stage, d.currency
""")  # noqa: S608
