"""A contact as its events leave it."""

from typing import assert_never
from uuid import UUID

from msgspec import Struct, structs

from domain.contacts.events import (
    ContactArchived,
    ContactAssigned,
    ContactCreated,
    ContactEdited,
    ContactEvent,
    ContactPersonal,
    ContactRestored,
    LeadStatus,
    LifecycleStage,
)
from domain.kernel import Erased, Sealed, given


class Contact(Struct, frozen=True, kw_only=True):
    """A person whom the tenant knows, at an account or not. Who they are is all in `personal`."""

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
    archived: bool = False


def evolve(state: Contact | None, event: ContactEvent) -> Contact | None:
    """The one fold of a contact. An event of a contact that never was made changes nothing."""
    if isinstance(event, ContactCreated):
        return Contact(**given(event))
    if state is None:
        return None
    match event:
        case ContactEdited():
            return structs.replace(state, **given(event))
        case ContactAssigned():
            return structs.replace(state, owner=event.owner)
        case ContactArchived():
            return structs.replace(state, archived=True)
        case ContactRestored():
            return structs.replace(state, archived=False)
        case _ as never:
            assert_never(never)
