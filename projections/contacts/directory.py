"""Contacts, to get and to list."""

from uuid import UUID

from msgspec import Struct

from domain.contacts.events import LeadStatus, LifecycleStage
from domain.contacts.state import Contact
from projections.accounts.directory import AddressRow
from projections.changes import Story
from projections.directories import ARCHIVED, Column, Directory, Record, personal_fields, row_of, sort_key


class EmailRow(Struct, frozen=True, kw_only=True):
    """One of a contact's e-mail addresses."""

    address: str
    kind: str | None = None
    primary: bool = False


class PhoneRow(Struct, frozen=True, kw_only=True):
    """One of a contact's phone numbers."""

    number: str
    kind: str | None = None
    primary: bool = False


class SocialProfileRow(Struct, frozen=True, kw_only=True):
    """Where a contact is found on a social network."""

    network: str
    url: str


class ContactRow(Record, frozen=True, kw_only=True):
    """A contact as it is read; of an `erased` one, who they were is gone."""

    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    emails: tuple[EmailRow, ...] = ()
    phones: tuple[PhoneRow, ...] = ()
    title: str | None = None
    address: AddressRow | None = None
    social_profiles: tuple[SocialProfileRow, ...] = ()
    erased: bool = False
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


class ContactFilter(Struct, frozen=True, kw_only=True):
    """Which contacts to list; None matches all."""

    owner: UUID | None = None
    account: UUID | None = None
    status: LeadStatus | None = None
    lifecycle: LifecycleStage | None = None
    lead_source: str | None = None
    archived: bool | None = False


def contact_row(story: Story) -> ContactRow:
    """A contact's row: its name, and its primary e-mail address and phone number by themselves too."""
    contact: Contact = story.state
    fields = personal_fields(contact.personal)
    if not fields.get("erased"):
        fields["name"] = f"{fields['first_name']} {fields['last_name']}"
        fields["email"] = next((each.address for each in fields["emails"] if each.primary), None)
        fields["phone"] = next((each.number for each in fields["phones"] if each.primary), None)
    return row_of(story, ContactRow, **fields)


def _by_last_name(row: ContactRow) -> str | None:
    return sort_key(f"{row.last_name} {row.first_name}" if row.last_name else None)


CONTACTS = Directory(
    name="contacts",
    entity="contact",
    row=ContactRow,
    filters=ContactFilter,
    fold=contact_row,
    columns={
        "name_key": Column("text", lambda row: sort_key(row.name)),
        "last_name_key": Column("text", _by_last_name),
        "owner": Column("uuid"),
        "account": Column("uuid"),
        "status": Column("text"),
        "lifecycle": Column("text"),
        "lead_source": Column("text"),
    },
    conditions={
        "owner": "owner = %(owner)s",
        "account": "account = %(account)s",
        "status": "status = %(status)s",
        "lifecycle": "lifecycle = %(lifecycle)s",
        "lead_source": "lead_source = %(lead_source)s",
        "archived": ARCHIVED,
    },
    sorts={
        "name": "name_key",
        "last_name": "last_name_key",
        "created_at": "created_at",
        "updated_at": "updated_at",
    },
    order="name",
    owner="owner",
)
