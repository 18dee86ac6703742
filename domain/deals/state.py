"""A deal as its events leave it."""

from datetime import date
from decimal import Decimal
from typing import assert_never
from uuid import UUID

from msgspec import Struct, structs

from domain.deals.events import (
    DealArchived,
    DealAssigned,
    DealContact,
    DealEdited,
    DealEvent,
    DealLost,
    DealOpened,
    DealReopened,
    DealRestored,
    DealStageChanged,
    DealWon,
    Line,
)
from domain.kernel import given
from domain.neighbours import StageKind


class Deal(Struct, frozen=True, kw_only=True):
    """An opportunity in a stage of a pipeline; `kind` says whether it is open, won or lost."""

    name: str
    pipeline: UUID
    stage: UUID
    kind: StageKind = StageKind.OPEN
    probability: int
    owner: UUID | None = None
    account: UUID | None = None
    contacts: tuple[DealContact, ...] = ()
    lines: tuple[Line, ...] = ()
    amount: Decimal | None = None
    currency: str | None = None
    expected_close: date | None = None
    lead_source: str | None = None
    next_step: str | None = None
    description: str | None = None
    competitors: tuple[str, ...] = ()
    lost_reason: str | None = None
    external_id: str | None = None
    left_stage: UUID | None = None
    archived: bool = False


def evolve(state: Deal | None, event: DealEvent) -> Deal | None:
    """The one fold of a deal. An event of a deal that never was opened changes nothing."""
    if isinstance(event, DealOpened):
        return Deal(**given(event))
    if state is None:
        return None
    match event:
        case DealEdited():
            return structs.replace(state, **given(event))
        case DealStageChanged():
            return structs.replace(state, pipeline=event.pipeline, stage=event.stage, probability=event.probability)
        case DealWon():
            return structs.replace(
                state,
                kind=StageKind.WON,
                stage=event.stage,
                left_stage=event.previous,
                probability=100,
                amount=event.amount,
                currency=event.currency,
                lost_reason=None,
            )
        case DealLost():
            return structs.replace(
                state,
                kind=StageKind.LOST,
                stage=event.stage,
                left_stage=event.previous,
                probability=0,
                lost_reason=event.reason,
            )
        case DealReopened():
            return structs.replace(
                state,
                kind=StageKind.OPEN,
                stage=event.stage,
                left_stage=None,
                probability=event.probability,
                lost_reason=None,
            )
        case DealAssigned():
            return structs.replace(state, owner=event.owner)
        case DealArchived():
            return structs.replace(state, archived=True)
        case DealRestored():
            return structs.replace(state, archived=False)
        case _ as never:
            assert_never(never)
