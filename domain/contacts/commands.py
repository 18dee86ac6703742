"""What can be asked of a contact, and what it decides."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, assert_never
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from domain.contacts.events import (
    ContactArchived,
    ContactAssigned,
    ContactCreated,
    ContactEdited,
    ContactEvent,
    ContactPersonal,
    ContactRestored,
    EmailAddress,
    LeadStatus,
    LifecycleStage,
    PhoneNumber,
    SocialProfile,
)
from domain.contacts.state import Contact
from domain.kernel import (
    AlreadyExists,
    Archived,
    Claim,
    Command,
    Invalid,
    NotFound,
    Reference,
    Refused,
    changes,
    given,
    newly_named,
    readable,
)
from domain.neighbours import Neighbours
from domain.values import (
    AddressDraft,
    Email,
    ExternalId,
    Label,
    Name,
    Phone,
    Url,
    check_email,
    check_phone,
    check_texts,
    check_url,
)


class EmailOrPhoneRequired(Refused):
    """A contact can be reached: by one e-mail address or phone number at least."""

    code = "email_or_phone_required"


class EmailDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An e-mail address as it is entered. Without a primary one among them, the first is it."""

    address: Email
    kind: Label | None = None
    primary: bool = False


class PhoneDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A phone number as it is entered. Without a primary one among them, the first is it."""

    number: Phone
    kind: Label | None = None
    primary: bool = False


class SocialProfileDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A profile on a social network, such as LinkedIn, as it is entered."""

    network: Name
    url: Url


Emails = Annotated[tuple[EmailDraft, ...], Meta(max_length=20)]
Phones = Annotated[tuple[PhoneDraft, ...], Meta(max_length=20)]
SocialProfiles = Annotated[tuple[SocialProfileDraft, ...], Meta(max_length=20)]


class CreateContact(Command, frozen=True, kw_only=True):
    """Make a contact, with an e-mail address or a phone number at least."""

    PERMISSION: ClassVar[str] = "contact:create"
    CREATES: ClassVar[bool] = True
    first_name: Name
    last_name: Name
    emails: Emails = ()
    phones: Phones = ()
    title: Label | None = None
    address: AddressDraft | None = None
    social_profiles: SocialProfiles = ()
    owner: UUID | None = None
    account: UUID | None = None
    department: Label | None = None
    lead_source: Label | None = None
    status: LeadStatus = LeadStatus.NEW
    lifecycle: LifecycleStage = LifecycleStage.LEAD
    do_not_call: bool = False
    do_not_email: bool = False
    do_not_text: bool = False
    external_id: ExternalId | None = None


class EditContact(Command, frozen=True, kw_only=True):
    """Change fields of a contact. `emails`, `phones` and `social_profiles` are whole lists."""

    PERMISSION: ClassVar[str] = "contact:update"
    first_name: Name | UnsetType = UNSET
    last_name: Name | UnsetType = UNSET
    emails: Emails | UnsetType = UNSET
    phones: Phones | UnsetType = UNSET
    title: Label | UnsetType | None = UNSET
    address: AddressDraft | UnsetType | None = UNSET
    social_profiles: SocialProfiles | UnsetType = UNSET
    account: UUID | UnsetType | None = UNSET
    department: Label | UnsetType | None = UNSET
    lead_source: Label | UnsetType | None = UNSET
    status: LeadStatus | UnsetType = UNSET
    lifecycle: LifecycleStage | UnsetType = UNSET
    do_not_call: bool | UnsetType = UNSET
    do_not_email: bool | UnsetType = UNSET
    do_not_text: bool | UnsetType = UNSET
    external_id: ExternalId | UnsetType | None = UNSET


class AssignContact(Command, frozen=True, kw_only=True):
    """Give a contact to another owner."""

    PERMISSION: ClassVar[str] = "contact:assign"
    owner: UUID


class ArchiveContact(Command, frozen=True, kw_only=True):
    """Take a contact out of the lists."""

    PERMISSION: ClassVar[str] = "contact:delete"


class RestoreContact(Command, frozen=True, kw_only=True):
    """Bring an archived contact back."""

    PERMISSION: ClassVar[str] = "contact:delete"


ContactCommand = CreateContact | EditContact | AssignContact | ArchiveContact | RestoreContact


def references(command: ContactCommand, state: Contact | None) -> Iterator[Reference]:
    """The records that a decision needs to exist: a new owner, a new account."""
    match command:
        case CreateContact():
            yield from newly_named("/owner", "user", command.owner, None)
            yield from newly_named("/account", "account", command.account, None)
        case EditContact():
            yield from newly_named("/account", "account", command.account, state.account if state else None)
        case AssignContact():
            yield from newly_named("/owner", "user", command.owner, state.owner if state else None)
        case ArchiveContact() | RestoreContact():
            return


def claims(state: Contact) -> frozenset[Claim]:
    """The values that no other contact of the tenant may hold; erased or sealed addresses are nobody's."""
    held = {Claim("contact.external_id", state.external_id)} if state.external_id else set()
    if isinstance(state.personal, ContactPersonal):
        held |= {Claim("contact.email", each.address.casefold()) for each in state.personal.emails}
    return frozenset(held)


def decide(command: ContactCommand, state: Contact | None, _neighbours: Neighbours) -> list[ContactEvent]:
    """What a command makes of a contact.

    Raises Invalid, EmailOrPhoneRequired, Archived, AlreadyExists, NotFound, or PersonalDataErased.
    """
    check_texts(command)
    if isinstance(command, CreateContact):
        if state is not None:
            raise AlreadyExists("This contact is there already.")
        return [_create(command)]
    if state is None:
        raise NotFound("There is no such contact.")
    if isinstance(command, RestoreContact):
        return [ContactRestored()] if state.archived else []
    if isinstance(command, ArchiveContact):
        return [] if state.archived else [ContactArchived()]
    if state.archived:
        raise Archived("This contact is archived: restore it first.")
    match command:
        case EditContact():
            return _edit(command, state)
        case AssignContact(owner=owner):
            return [] if owner == state.owner else [ContactAssigned(previous=state.owner, owner=owner)]
        case _ as never:
            assert_never(never)


def _create(command: CreateContact) -> ContactCreated:
    personal = ContactPersonal(**_personal(command, None))
    _check_reachable(personal)
    return ContactCreated(personal=personal, **given(command, but=ContactPersonal.__struct_fields__))


def _edit(command: EditContact, state: Contact) -> list[ContactEvent]:
    changed = changes(given(command, but=ContactPersonal.__struct_fields__), state)
    if any(getattr(command, name) is not UNSET for name in ContactPersonal.__struct_fields__):
        known = readable(state.personal)
        personal = structs.replace(known, **_personal(command, known))
        _check_reachable(personal)
        if personal != known:
            changed["personal"] = personal
    return [ContactEdited(**changed)] if changed else []


def _personal(command: CreateContact | EditContact, known: ContactPersonal | None) -> dict[str, Any]:
    """The personal fields that a command sets, checked, upon those that are `known`."""
    fields = {name: value for name, value in given(command).items() if name in ContactPersonal.__struct_fields__}
    if "emails" in fields:
        fields["emails"] = _emails(fields["emails"])
    if "phones" in fields:
        fields["phones"] = _phones(fields["phones"])
    if "social_profiles" in fields:
        fields["social_profiles"] = _social_profiles(fields["social_profiles"])
    if isinstance(command.address, AddressDraft):
        fields["address"] = command.address.upon(known.address if known else None)
    return fields


def _emails(drafts: Sequence[EmailDraft]) -> tuple[EmailAddress, ...]:
    for number, each in enumerate(drafts):
        check_email(each.address, f"/emails/{number}/address")
    if len({each.address.casefold() for each in drafts}) < len(drafts):
        raise Invalid("Each e-mail address is named once.", field="/emails")
    return tuple(EmailAddress(**fields) for fields in _with_primary(drafts, "/emails"))


def _phones(drafts: Sequence[PhoneDraft]) -> tuple[PhoneNumber, ...]:
    for number, each in enumerate(drafts):
        check_phone(each.number, f"/phones/{number}/number")
    if len({each.number for each in drafts}) < len(drafts):
        raise Invalid("Each phone number is named once.", field="/phones")
    return tuple(PhoneNumber(**fields) for fields in _with_primary(drafts, "/phones"))


def _social_profiles(drafts: Sequence[SocialProfileDraft]) -> tuple[SocialProfile, ...]:
    for number, each in enumerate(drafts):
        check_url(each.url, f"/social_profiles/{number}/url")
    return tuple(SocialProfile(network=each.network, url=each.url) for each in drafts)


def _with_primary(drafts: Sequence[EmailDraft | PhoneDraft], field: str) -> Iterator[Mapping[str, Any]]:
    """The drafts' fields with exactly one primary among them: the one marked so, else the first."""
    marked = [number for number, each in enumerate(drafts) if each.primary]
    if len(marked) > 1:
        raise Invalid("Only one can be the primary one.", field=field)
    primary = marked[0] if marked else 0
    for number, each in enumerate(drafts):
        yield {**structs.asdict(each), "primary": number == primary}


def _check_reachable(personal: ContactPersonal) -> None:
    if not personal.emails and not personal.phones:
        raise EmailOrPhoneRequired("A contact needs an e-mail address or a phone number.", field="/emails")
