"""Contacts over HTTP."""

from api.operations import Operation
from api.records import Records
from domain.contacts.commands import (
    ArchiveContact,
    AssignContact,
    CreateContact,
    EditContact,
    EmailOrPhoneRequired,
    RestoreContact,
)
from domain.kernel import PersonalDataErased
from projections.contacts.directory import CONTACTS, ContactRow

RECORDS = Records(
    path="contacts",
    entity="contact",
    directory=CONTACTS,
    row=ContactRow,
    create=CreateContact,
    edit=EditContact,
    archive=ArchiveContact,
    restore=RestoreContact,
    refuses=(EmailOrPhoneRequired, PersonalDataErased),
    example={
        "first_name": "Ada",
        "last_name": "Lovelace",
        "emails": [{"address": "ada@example.com", "kind": "work"}],
        "phones": [{"number": "+44 20 7946 0018"}],
        "title": "Head of Computing",
        "lead_source": "referral",
    },
    edit_example={"status": "contacted", "title": None},
)

OPERATIONS: list[Operation] = [
    *RECORDS.operations(),
    RECORDS.verb("assign", AssignContact, example={"owner": "01900000-0000-7000-8000-000000000001"}),
]
