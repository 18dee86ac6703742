"""What happens to a deal."""

from datetime import date
from decimal import Decimal, localcontext
from typing import ClassVar
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from domain.kernel import Event


class Line(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is sold: a product of the catalogue or a free text, `discount` in percent of quantity × unit price."""

    product: UUID | None = None
    description: str | None = None
    quantity: Decimal = Decimal(1)
    unit_price: Decimal | None = None
    discount: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal | None:
        """The line's price in the deal's currency, to the ten-thousandth; None while its unit price isn't known."""
        if self.unit_price is None:
            return None
        with localcontext(prec=60):
            price = self.quantity * self.unit_price * (100 - self.discount) / 100
            exact, cents = price.quantize(Decimal("0.0001")), price.quantize(Decimal("0.01"))
            return cents if cents == exact else exact


class DealContact(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A contact's part in a deal, such as decision maker."""

    contact: UUID
    role: str | None = None


class DealOpened(Event, frozen=True, kw_only=True):
    """A deal was opened in a stage of a pipeline."""

    TYPE: ClassVar[str] = "deal.opened.v1"
    name: str
    pipeline: UUID
    stage: UUID
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
    external_id: str | None = None


class DealEdited(Event, frozen=True, kw_only=True):
    """Some fields of a deal became others; only those are set."""

    TYPE: ClassVar[str] = "deal.edited.v1"
    name: str | UnsetType = UNSET
    probability: int | UnsetType = UNSET
    account: UUID | UnsetType | None = UNSET
    contacts: tuple[DealContact, ...] | UnsetType = UNSET
    lines: tuple[Line, ...] | UnsetType = UNSET
    amount: Decimal | UnsetType | None = UNSET
    currency: str | UnsetType | None = UNSET
    expected_close: date | UnsetType | None = UNSET
    lead_source: str | UnsetType | None = UNSET
    next_step: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    competitors: tuple[str, ...] | UnsetType = UNSET
    lost_reason: str | UnsetType | None = UNSET
    external_id: str | UnsetType | None = UNSET


class DealStageChanged(Event, frozen=True, kw_only=True):
    """A deal moved to another open stage, of its pipeline or of another one."""

    TYPE: ClassVar[str] = "deal.stage_changed.v1"
    previous: UUID
    pipeline: UUID
    stage: UUID
    probability: int


class DealWon(Event, frozen=True, kw_only=True):
    """A deal was closed as won; it happened when the event occurred."""

    TYPE: ClassVar[str] = "deal.won.v1"
    previous: UUID
    stage: UUID
    amount: Decimal
    currency: str
    reason: str | None = None


class DealLost(Event, frozen=True, kw_only=True):
    """A deal was closed as lost; an import may not know the reason."""

    TYPE: ClassVar[str] = "deal.lost.v1"
    previous: UUID
    stage: UUID
    reason: str | None = None


class DealReopened(Event, frozen=True, kw_only=True):
    """A closed deal is open again, in an open stage."""

    TYPE: ClassVar[str] = "deal.reopened.v1"
    previous: UUID
    stage: UUID
    probability: int


class DealAssigned(Event, frozen=True, kw_only=True):
    """A deal got another owner."""

    TYPE: ClassVar[str] = "deal.assigned.v1"
    previous: UUID | None
    owner: UUID | None


class DealArchived(Event, frozen=True, kw_only=True):
    """A deal left the lists."""

    TYPE: ClassVar[str] = "deal.archived.v1"


class DealRestored(Event, frozen=True, kw_only=True):
    """An archived deal is back."""

    TYPE: ClassVar[str] = "deal.restored.v1"


DealEvent = (
    DealOpened
    | DealEdited
    | DealStageChanged
    | DealWon
    | DealLost
    | DealReopened
    | DealAssigned
    | DealArchived
    | DealRestored
)
