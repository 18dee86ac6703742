"""The pipeline: what stands in each stage, now or as of a day or an instant, by when things happened in the world.

A deal's periods are told by the events that changed what a pipeline counts; a period begins where the last one ends.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import groupby, pairwise
from typing import Any, ClassVar
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct

from domain.deals.state import Deal
from domain.kernel import Refused
from domain.neighbours import StageKind
from projections.changes import Batch, Change
from projections.ports import Database, Rows
from projections.viewer import Viewer

COUNTED = ("pipeline", "stage", "kind", "probability", "amount", "currency", "archived")


class InTheFuture(Refused):
    """Nothing is known of the future."""

    code: ClassVar[str] = "in_the_future"


class Value(Struct, frozen=True, kw_only=True):
    """An amount; sums of different currencies are never added. A currency that nobody gave is None."""

    amount: Decimal
    currency: str | None


class StageTotals(Struct, frozen=True, kw_only=True):
    """The deals in a stage. `pipeline` and `stage` are today's names; `probability` is the stage's, a percentage."""

    pipeline: str | None
    stage: str | None
    kind: StageKind
    probability: int | None
    deals: int
    values: list[Value]
    weighted: list[Value]
    pipeline_id: UUID
    stage_id: UUID


class Pipeline(Struct, frozen=True, kw_only=True):
    """Each stage of each pipeline, in their order. `as_of` is the day or instant that it shows."""

    as_of: date | datetime
    stages: list[StageTotals]


def pipeline(
    database: Database, viewer: Viewer, *, now: datetime, as_of: date | datetime | None = None
) -> Pipeline:
    """The pipeline now, or as of an instant (aware) or the end of a day in the tenant's time zone.

    Archived deals don't count. Raises InTheFuture.
    """
    instant = None if as_of is None else _instant(as_of, now, ZoneInfo(viewer.time_zone))
    found = database.read(
        viewer.tenant,
        _NOW if instant is None else _AS_OF,
        {"instant": instant, "owners": None if viewer.owners is None else list(viewer.owners)},
    )
    stages = [_totals(list(rows)) for _, rows in groupby(found, lambda row: (row["pipeline_id"], row["stage_id"]))]
    return Pipeline(as_of=now if as_of is None else as_of, stages=stages)


def _instant(as_of: date | datetime, now: datetime, zone: ZoneInfo) -> datetime:
    """The last instant that `as_of` means."""
    if isinstance(as_of, datetime):
        if as_of > now:
            raise InTheFuture("This instant is still to come.", field="/as_of")
        return as_of
    if as_of > now.astimezone(zone).date():
        raise InTheFuture("This day is still to come.", field="/as_of")
    end = datetime.combine(as_of + timedelta(days=1), time(), zone)
    return end.astimezone(UTC) - timedelta(microseconds=1)
