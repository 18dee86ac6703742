"""Deals, to get and to list."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from msgspec import Struct

from domain.deals.events import DealLost, DealOpened, DealReopened, DealStageChanged, DealWon
from domain.deals.state import Deal
from domain.neighbours import StageKind
from projections.changes import Story
from projections.directories import ARCHIVED, Column, Directory, Record, row_of, sort_key


class LineRow(Struct, frozen=True, kw_only=True):
    """What is sold: `discount` in percent, `total` in the deal's currency; None while there is no unit price."""

    product: UUID | None = None
    description: str | None = None
    quantity: Decimal
    unit_price: Decimal | None = None
    discount: Decimal
    total: Decimal | None = None


class DealContactRow(Struct, frozen=True, kw_only=True):
    """A contact's part in a deal."""

    contact: UUID
    role: str | None = None


class DealRow(Record, frozen=True, kw_only=True):
    """A deal as it is read. `weighted` is the amount times the probability.

    `opened_at`, `closed_at` (of a closed deal: the last time) and `stage_since` are when it happened in the world.
    """

    name: str
    pipeline: UUID
    stage: UUID
    kind: StageKind
    probability: int
    owner: UUID | None = None
    account: UUID | None = None
    contacts: tuple[DealContactRow, ...] = ()
    lines: tuple[LineRow, ...] = ()
    amount: Decimal | None = None
    weighted: Decimal | None = None
    currency: str | None = None
    expected_close: date | None = None
    opened_at: datetime
    closed_at: datetime | None = None
    stage_since: datetime
    lead_source: str | None = None
    next_step: str | None = None
    description: str | None = None
    competitors: tuple[str, ...] = ()
    lost_reason: str | None = None
    external_id: str | None = None


class DealFilter(Struct, frozen=True, kw_only=True):
    """Which deals to list; None matches all. Ranges include both ends; dates are days in the tenant's time zone."""

    owner: UUID | None = None
    pipeline: UUID | None = None
    stage: UUID | None = None
    kind: StageKind | None = None
    account: UUID | None = None
    currency: str | None = None
    amount_min: Decimal | None = None
    amount_max: Decimal | None = None
    expected_close_from: date | None = None
    expected_close_to: date | None = None
    closed_from: date | None = None
    closed_to: date | None = None
    archived: bool | None = False


def deal_row(story: Story) -> DealRow:
    """A deal's row."""
    deal: Deal = story.state
    moved = story.last(DealOpened, DealStageChanged, DealWon, DealLost, DealReopened)
    closed = story.last(DealWon, DealLost) if deal.kind is not StageKind.OPEN else None
    return row_of(
        story,
        DealRow,
        weighted=None if deal.amount is None else deal.amount * deal.probability / 100,
        opened_at=story.events[0].occurred_at,
        closed_at=closed.occurred_at if closed else None,
        stage_since=moved.occurred_at if moved else story.events[0].occurred_at,
    )


DEALS = Directory(
    name="deals",
    entity="deal",
    row=DealRow,
    filters=DealFilter,
    fold=deal_row,
    columns={
        "name_key": Column("text", lambda row: sort_key(row.name)),
        "owner": Column("uuid"),
        "pipeline": Column("uuid"),
        "stage": Column("uuid"),
        "kind": Column("text"),
        "account": Column("uuid"),
        "amount": Column("numeric"),
        "currency": Column("text"),
        "expected_close": Column("date"),
        "opened_at": Column("timestamptz"),
        "closed_at": Column("timestamptz"),
        "stage_since": Column("timestamptz"),
    },
    conditions={
        "owner": "owner = %(owner)s",
        "pipeline": "pipeline = %(pipeline)s",
        "stage": "stage = %(stage)s",
        "kind": "kind = %(kind)s",
        "account": "account = %(account)s",
        "currency": "currency = %(currency)s",
        "amount_min": "amount >= %(amount_min)s",
        "amount_max": "amount <= %(amount_max)s",
        "expected_close_from": "expected_close >= %(expected_close_from)s",
        "expected_close_to": "expected_close <= %(expected_close_to)s",
        "closed_from": "closed_at >= %(closed_from)s::date::timestamp AT TIME ZONE %(zone)s",
        "closed_to": "closed_at < (%(closed_to)s::date + 1)::timestamp AT TIME ZONE %(zone)s",
        "archived": ARCHIVED,
    },
    sorts={
        "name": "name_key",
        "amount": "amount",
        "expected_close": "expected_close",
        "opened_at": "opened_at",
        "closed_at": "closed_at",
        "stage_since": "stage_since",
        "created_at": "created_at",
        "updated_at": "updated_at",
    },
    order="-created_at",
    owner="owner",
)
