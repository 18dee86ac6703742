"""What happens to a contact."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from domain.kernel import Erased, Event, Personal, Sealed
from domain.values import Address


class LeadStatus(StrEnum):
    """How far the first conversation with a contact has come."""

    NEW = "new"
    CONTACTED = "contacted"
    QUALIFIED = "qualified"
    UNQUALIFIED = "unqualified"


class LifecycleStage(StrEnum):
    """How close a contact is to buying: `mql` and `sql` are leads that marketing or sales has qualified."""

    LEAD = "lead"
    MQL = "mql"
    SQL = "sql"
    OPPORTUNITY = "opportunity"
    CUSTOMER = "customer"


class EmailAddress(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of a contact's e-mail addresses; exactly one of them is `primary`."""

    address: str
    kind: str | None = None
    primary: bool = False


class PhoneNumber(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of a contact's phone numbers; exactly one of them is `primary`."""

    number: str
    kind: str | None = None
    primary: bool = False


class SocialProfile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a contact is found on a social network."""

    network: str
    url: str


class ContactPersonal(Personal, frozen=True, kw_only=True):
    """All that says who a contact is."""

    first_name: str
    last_name: str
    emails: tuple[EmailAddress, ...] = ()
    phones: tuple[PhoneNumber, ...] = ()
    title: str | None = None
    address: Address | None = None
    social_profiles: tuple[SocialProfile, ...] = ()


class ContactCreated(Event, frozen=True, kw_only=True):
    """A contact was made."""

    TYPE: ClassVar[str] = "contact.created.v1"
    personal: ContactPersonal | Sealed | Erased
    owner: UUID | None = None
    account: UUID | None = None
    department: str | None = None
    lead_source: str | None = None
    status: LeadStatus = LeadStatus.NEW
    lifecycle: LifecycleStage = LifecycleStage.LEAD
    do_not_call: bool = False
    do_not_email: bool = False
    do_not_text: bool = False
    external_id: str | None = None


class ContactEdited(Event, frozen=True, kw_only=True):
    """Some fields of a contact became others; only those are set, `personal` as a whole."""

    TYPE: ClassVar[str] = "contact.edited.v1"
    personal: ContactPersonal | Sealed | Erased | UnsetType = UNSET
    account: UUID | UnsetType | None = UNSET
    department: str | UnsetType | None = UNSET
    lead_source: str | UnsetType | None = UNSET
    status: LeadStatus | UnsetType = UNSET
    lifecycle: LifecycleStage | UnsetType = UNSET
    do_not_call: bool | UnsetType = UNSET
    do_not_email: bool | UnsetType = UNSET
    do_not_text: bool | UnsetType = UNSET
    external_id: str | UnsetType | None = UNSET


class ContactAssigned(Event, frozen=True, kw_only=True):
    """A contact got another owner."""

    TYPE: ClassVar[str] = "contact.assigned.v1"
    previous: UUID | None
    owner: UUID | None


class ContactArchived(Event, frozen=True, kw_only=True):
    """A contact left the lists."""

    TYPE: ClassVar[str] = "contact.archived.v1"


class ContactRestored(Event, frozen=True, kw_only=True):
    """An archived contact is back."""

    TYPE: ClassVar[str] = "contact.restored.v1"


ContactEvent = ContactCreated | ContactEdited | ContactAssigned | ContactArchived | ContactRestored
