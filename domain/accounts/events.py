"""What happens to an account."""

from decimal import Decimal
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from msgspec import UNSET, UnsetType

from domain.kernel import Event
from domain.values import Address


class Size(StrEnum):
    """A band of the number of employees."""

    UP_TO_10 = "1-10"
    UP_TO_50 = "11-50"
    UP_TO_200 = "51-200"
    UP_TO_500 = "201-500"
    ABOVE_500 = "500+"

    @classmethod
    def of(cls, employees: int) -> "Size":
        """The band that a number of employees falls into."""
        bounds = ((10, cls.UP_TO_10), (50, cls.UP_TO_50), (200, cls.UP_TO_200), (500, cls.UP_TO_500))
        return next((size for most, size in bounds if employees <= most), cls.ABOVE_500)


class AccountCreated(Event, frozen=True, kw_only=True):
    """An account was made."""

    TYPE: ClassVar[str] = "account.created.v1"
    name: str
    owner: UUID | None = None
    parent: UUID | None = None
    website: str | None = None
    industry: str | None = None
    size: Size | None = None
    employees: int | None = None
    annual_revenue: Decimal | None = None
    currency: str | None = None
    founded: int | None = None
    phone: str | None = None
    email: str | None = None
    address: Address | None = None
    description: str | None = None
    external_id: str | None = None


class AccountEdited(Event, frozen=True, kw_only=True):
    """Some fields of an account became others; only those are set."""

    TYPE: ClassVar[str] = "account.edited.v1"
    name: str | UnsetType = UNSET
    parent: UUID | UnsetType | None = UNSET
    website: str | UnsetType | None = UNSET
    industry: str | UnsetType | None = UNSET
    size: Size | UnsetType | None = UNSET
    employees: int | UnsetType | None = UNSET
    annual_revenue: Decimal | UnsetType | None = UNSET
    currency: str | UnsetType | None = UNSET
    founded: int | UnsetType | None = UNSET
    phone: str | UnsetType | None = UNSET
    email: str | UnsetType | None = UNSET
    address: Address | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    external_id: str | UnsetType | None = UNSET


class AccountAssigned(Event, frozen=True, kw_only=True):
    """An account got another owner."""

    TYPE: ClassVar[str] = "account.assigned.v1"
    previous: UUID | None
    owner: UUID | None


class AccountArchived(Event, frozen=True, kw_only=True):
    """An account left the lists."""

    TYPE: ClassVar[str] = "account.archived.v1"


class AccountRestored(Event, frozen=True, kw_only=True):
    """An archived account is back."""

    TYPE: ClassVar[str] = "account.restored.v1"


AccountEvent = AccountCreated | AccountEdited | AccountAssigned | AccountArchived | AccountRestored
