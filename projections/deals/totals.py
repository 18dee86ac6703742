"""The totals of the present: how many deals stand in a stage, per owner and currency, and their amounts.

They are kept by differences, so that the pipeline costs the same however many deals there are. `pipeline` queries them.
"""

from collections.abc import Iterator
from decimal import Decimal
from operator import attrgetter
from uuid import UUID

from msgspec import Struct

from domain.deals.state import Deal
from domain.neighbours import StageKind
from projections.changes import Batch
from projections.ports import Rows

NOBODY = UUID(int=0)
"""Stands for no owner, as an empty text does for no currency: a key has no nulls."""


class Difference(Struct, kw_only=True):
    """What an event adds to a total (or takes away): `deals`, of these `priced` ones have an amount; `amount` is the
    sum of these, `weighted` that of each times its probability, a percentage."""

    position: int
    pipeline: UUID
    stage: UUID
    kind: StageKind
    owner: UUID
    currency: str
    deals: int
    priced: int
    amount: Decimal
    weighted: Decimal


COUNTED = ("pipeline", "stage", "kind", "probability", "amount", "currency", "archived")
"""The fields of a deal that the pipeline counts."""
_counted = attrgetter(*COUNTED, "owner")


def keep_totals(rows: Rows, batch: Batch) -> None:
    """Adds what the batch's events changed; a total that has seen an event doesn't count it again."""
    differences = list(_differences(batch))
    if differences:
        rows.execute(
            _ADD, {name: [getattr(each, name) for each in differences] for name in Difference.__struct_fields__}
        )


def _differences(batch: Batch) -> Iterator[Difference]:
    for change in batch.changes:
        recorded, before, after = change.recorded, change.before, change.after
        if recorded.entity != "deal" or (before and after and _counted(before) == _counted(after)):
            continue
        if before is not None:
            yield from _part(recorded.position, before, -1)
        if after is not None:
            yield from _part(recorded.position, after, 1)


def _part(position: int, deal: Deal, sign: int) -> Iterator[Difference]:
    """One deal's part in its total; none of an archived one."""
    if deal.archived:
        return
    amount = deal.amount or Decimal(0)
    yield Difference(
        position=position,
        pipeline=deal.pipeline,
        stage=deal.stage,
        kind=deal.kind,
        owner=deal.owner or NOBODY,
        currency=deal.currency or "",
        deals=sign,
        priced=0 if deal.amount is None else sign,
        amount=amount * sign,
        weighted=amount * deal.probability * sign,
    )


_ADD = """
INSERT INTO deal_totals AS t (
    tenant_id, generation, pipeline, stage, kind, owner, currency, position, deals, priced, amount, weighted
)
SELECT %(tenant)s, %(generation)s, u.pipeline, u.stage, u.kind, u.owner, u.currency,
       max(u.position), sum(u.deals), sum(u.priced), sum(u.amount), sum(u.weighted)
FROM unnest(
    %(position)b::bigint[], %(pipeline)b::uuid[], %(stage)b::uuid[], %(kind)b::text[], %(owner)b::uuid[],
    %(currency)b::text[], %(deals)b::integer[], %(priced)b::integer[], %(amount)b::numeric[], %(weighted)b::numeric[]
) AS u (position, pipeline, stage, kind, owner, currency, deals, priced, amount, weighted)
WHERE NOT EXISTS (
    SELECT FROM deal_totals seen
    WHERE seen.tenant_id = %(tenant)s AND seen.generation = %(generation)s AND seen.pipeline = u.pipeline
      AND seen.stage = u.stage AND seen.kind = u.kind AND seen.owner = u.owner AND seen.currency = u.currency
      AND seen.position >= u.position)
GROUP BY u.pipeline, u.stage, u.kind, u.owner, u.currency
ON CONFLICT (tenant_id, generation, pipeline, stage, kind, owner, currency) DO UPDATE SET
    position = excluded.position, deals = t.deals + excluded.deals, priced = t.priced + excluded.priced,
    amount = t.amount + excluded.amount, weighted = t.weighted + excluded.weighted
"""
