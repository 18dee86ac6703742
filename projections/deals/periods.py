"""What the pipeline counts of each deal: its periods, by when it was so in the world, and the totals of the present.

`pipeline` queries both.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from uuid import UUID

from msgspec import Struct

from application.recording import Recorded
from domain.neighbours import StageKind
from projections.changes import Batch
from projections.deals.totals import COUNTED, keep_totals
from projections.ports import Rows


class Period(Struct, kw_only=True):
    """What is counted of a deal from `valid_from` on until before `valid_to`; None says that it still is so.

    `began` is the position of the first event of the period's first instant, `position` that of the last event that
    the period was made or ended by.
    """

    deal: UUID
    valid_from: datetime
    valid_to: datetime | None = None
    began: int
    position: int
    pipeline: UUID
    stage: UUID
    kind: StageKind
    probability: int
    amount: Decimal | None
    currency: str | None
    archived: bool


_counted = attrgetter(*COUNTED)


class DealPeriods:
    """The projection. Events of one instant make one period, as the last of them leaves the deal."""

    name = "deal_periods"
    tables: Sequence[str] = ("deal_periods", "deal_totals")

    def project(self, rows: Rows, batch: Batch) -> None:
        """Adds the periods that the batch's events began, ends the ones before, and keeps the totals; a repetition
        changes nothing."""
        periods = [period for of_deal in _periods(batch).values() for period in of_deal]
        if periods:
            columns = {name: [getattr(period, name) for period in periods] for name in Period.__struct_fields__}
            rows.execute(_END_EARLIER, columns)
            rows.execute(_ADD, columns)
        keep_totals(rows, batch)


def _periods(batch: Batch) -> dict[UUID, list[Period]]:
    """Each touched deal's new periods, in order."""
    found: dict[UUID, list[Period]] = {}
    instants = {position: at for story in batch.of("deal") for position, at in _instants(story.events)}
    for change in batch.changes:
        recorded, before, after = change.recorded, change.before, change.after
        if recorded.entity != "deal" or after is None or (before is not None and _counted(before) == _counted(after)):
            continue
        at, began, position = instants[recorded.position], recorded.position, recorded.position
        periods = found.setdefault(recorded.id, [])
        if periods and periods[-1].valid_from == at:
            began = periods.pop().began
        elif periods:
            periods[-1].valid_to, periods[-1].position = at, position
        counted = dict(zip(COUNTED, _counted(after), strict=True))
        periods.append(Period(deal=recorded.id, valid_from=at, began=began, position=position, **counted))
    return found


def _instants(events: Sequence[Recorded]) -> Iterator[tuple[int, datetime]]:
    """When each event counts, by its position: as it occurred, but never before the one before it."""
    latest = events[0].occurred_at
    for recorded in events:
        latest = max(latest, recorded.occurred_at)
        yield recorded.position, latest


_END_EARLIER = """
UPDATE deal_periods p SET valid_to = u.valid_from, position = u.began
FROM (
    SELECT DISTINCT ON (deal) deal, valid_from, began
    FROM unnest(%(deal)b::uuid[], %(valid_from)b::timestamptz[], %(began)b::bigint[]) AS u (deal, valid_from, began)
    ORDER BY deal, valid_from
) u
WHERE p.tenant_id = %(tenant)s AND p.generation = %(generation)s AND p.deal = u.deal
  AND p.valid_to IS NULL AND p.valid_from < u.valid_from AND p.position < u.began
"""

_ADD = """
INSERT INTO deal_periods AS p (
    tenant_id, generation, deal, valid_from, valid_to, position,
    pipeline, stage, kind, probability, amount, currency, archived
)
SELECT %(tenant)s, %(generation)s, u.*
FROM unnest(
    %(deal)b::uuid[], %(valid_from)b::timestamptz[], %(valid_to)b::timestamptz[], %(position)b::bigint[],
    %(pipeline)b::uuid[], %(stage)b::uuid[], %(kind)b::text[], %(probability)b::integer[],
    %(amount)b::numeric[], %(currency)b::text[], %(archived)b::boolean[]
) AS u
ON CONFLICT (tenant_id, generation, deal, valid_from) DO UPDATE SET
    valid_to = excluded.valid_to, position = excluded.position, pipeline = excluded.pipeline, stage = excluded.stage,
    kind = excluded.kind, probability = excluded.probability, amount = excluded.amount, currency = excluded.currency,
    archived = excluded.archived
WHERE p.position < excluded.position
"""
