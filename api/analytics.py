"""The pipeline and the leaderboard over HTTP."""

from datetime import UTC, date, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from api.operations import Call, Operation
from api.refusals import Fault, InvalidRequest
from domain.values import Currency
from projections.deals.leaderboard import By, Leaderboard, leaderboard
from projections.deals.pipeline import InTheFuture, StageTotals, pipeline


class AsOf(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A day (its end in the tenant's time zone) or an instant; now without one."""

    as_of: Annotated[str, Meta(max_length=40, examples=["2017-06-30", "2017-06-30T12:00:00Z"])] | None = None


class Closed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"since": "from", "until": "to"}):
    """Which closed deals count: by close date, both ends included. The order is by the amount won in `currency`."""

    by: By = "owner"
    since: date | None = None
    until: date | None = None
    currency: Currency = "USD"


class PipelineAnswer(Struct, frozen=True, kw_only=True):
    """Each stage of each pipeline, in their order; of an archived pipeline, the stages that deals are in."""

    as_of: str
    stages: list[StageTotals]


def as_of(text: str) -> date | datetime:
    """A day or an instant. Raises InvalidRequest."""
    try:
        if len(text) == len("2017-06-30"):
            return date.fromisoformat(text)
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise InvalidRequest(
            [Fault("/as_of", "Give a day such as 2017-06-30, or an instant such as 2017-06-30T12:00:00Z.")]
        )
    return instant


def report(call: Call[None, AsOf]) -> PipelineAnswer:
    """The pipeline, now or then."""
    wanted = None if call.query.as_of is None else as_of(call.query.as_of)
    shown = pipeline(call.services.database, call.viewer, now=datetime.now(UTC), as_of=wanted)
    return PipelineAnswer(as_of=msgspec.to_builtins(shown.as_of), stages=shown.stages)


def standings(call: Call[None, Closed]) -> Leaderboard:
    """The leaderboard."""
    asked: Any = call.query
    return leaderboard(
        call.services.database,
        call.viewer,
        by=asked.by,
        since=asked.since,
        until=asked.until,
        currency=asked.currency,
    )


OPERATIONS: list[Operation] = [
    Operation(
        method="GET",
        path="/analytics/pipeline",
        name="pipeline",
        summary="What stands in each stage: deals, value per currency, and the same weighted; now or as of a day.",
        tag="analytics",
        run=report,
        answer=PipelineAnswer,
        query=AsOf,
        permission="analytics:read",
        long=True,
        waits=("deals", "deal_periods", "pipelines"),
        refuses=(InTheFuture,),
    ),
    Operation(
        method="GET",
        path="/analytics/leaderboard",
        name="leaderboard",
        summary="Who won and lost how much, and how quickly, by owner, manager or office.",
        tag="analytics",
        run=standings,
        answer=Leaderboard,
        query=Closed,
        permission="analytics:read",
        long=True,
        waits=("deals", "users"),
    ),
]
