"""Contacts out of rows. A row knows one e-mail address and two phone numbers; a contact may have more."""

from collections.abc import Sequence
from typing import Any

from msgspec import structs

from application.importing.building import assigned, command, edit, known, only, with_address
from application.importing.kinds import FLAG, TEXT, Circumstances, Kind, Step, Steps, Values, to
from domain.contacts.commands import AssignContact, CreateContact, EditContact
from domain.contacts.events import EmailAddress, PhoneNumber
from domain.contacts.state import Contact
from domain.kernel import readable

FIELDS = {
    "first_name": TEXT,
    "last_name": TEXT,
    "email": TEXT,
    "phone": TEXT,
    "mobile": TEXT,
    "title": TEXT,
    "department": TEXT,
    "account": to("account"),
    "owner": to("user"),
    "lead_source": TEXT,
    "status": TEXT,
    "lifecycle": TEXT,
    "street": TEXT,
    "city": TEXT,
    "state": TEXT,
    "postal_code": TEXT,
    "country": TEXT,
    "do_not_call": FLAG,
    "do_not_email": FLAG,
    "do_not_text": FLAG,
}
_WAYS = ("email", "phone", "mobile")
_POINTERS = {"emails": "email", "phones": "phone"}


def create(values: Values, _circumstances: Circumstances) -> Steps:
    """A new contact."""
    fields = {name: value for name, value in known(values).items() if name not in _WAYS}
    fields["emails"] = _emails(values)
    fields["phones"] = _phones(values, frozenset(_WAYS))
    return Steps((Step(command=command(CreateContact, with_address(fields), _POINTERS)),))


def change(values: Values, changed: frozenset[str], contact: Contact, circumstances: Circumstances) -> Steps:
    """What changed of a contact: an address or number takes the place of the one that the last import brought."""
    fields = only(values, changed, but=("owner", *_WAYS))
    if changed.intersection(_WAYS):
        personal = readable(contact.personal)
        if "email" in changed:
            fields["emails"] = _emails(values, personal.emails, circumstances.had)
        if changed.intersection(("phone", "mobile")):
            fields["phones"] = _phones(values, changed, personal.phones, circumstances.had)
    edited = edit(EditContact, with_address(fields), CreateContact)
    steps = [Step(command=edited)] if edited else []
    return assigned(AssignContact, values, changed, steps)


def _emails(
    values: Values, held: Sequence[EmailAddress] = (), had: frozenset[str] = frozenset()
) -> list[dict[str, Any]]:
    """The addresses, the row's as the primary one: there it replaces what the last import brought."""
    others = [structs.asdict(each) for each in held if not (each.primary and "email" in had)]
    address = values.get("email")
    if address is None:
        return others
    others = [{**each, "primary": False} for each in others if each["address"].casefold() != address.casefold()]
    return [{"address": address, "primary": True}, *others]


def _phones(
    values: Values, changed: frozenset[str], held: Sequence[PhoneNumber] = (), had: frozenset[str] = frozenset()
) -> list[dict[str, Any]]:
    """The numbers: the row's `phone` is one without a kind, its `mobile` one of the kind `mobile`."""
    numbers = [structs.asdict(each) for each in held]
    for field, kind in (("phone", None), ("mobile", "mobile")):
        if field in changed:
            number = values.get(field)
            replaced = [each for each in numbers if each["kind"] == kind and field in had][:1]
            numbers = [each for each in numbers if each not in replaced and each["number"] != number]
            numbers += [{"number": number, "kind": kind}] if number else []
    return numbers


CONTACTS = Kind(
    name="contacts",
    entity="contact",
    fields=FIELDS,
    create=create,
    change=change,
    personal=frozenset({"first_name", "last_name", "title", *_WAYS, "street", "city", "postal_code"}),
    required=("first_name", "last_name"),
    claimed=frozenset({"email"}),
)
