"""Accounts out of rows."""

from typing import Any

from application.importing.building import assigned, command, edit, in_currency, known, only, with_address
from application.importing.kinds import NUMBER, TEXT, WHOLE, Circumstances, Kind, Step, Steps, Values, to
from domain.accounts.commands import AssignAccount, CreateAccount, EditAccount

FIELDS = {
    "name": TEXT,
    "parent": to("account"),
    "owner": to("user"),
    "website": TEXT,
    "industry": TEXT,
    "size": TEXT,
    "employees": WHOLE,
    "annual_revenue": NUMBER,
    "currency": TEXT,
    "founded": WHOLE,
    "phone": TEXT,
    "email": TEXT,
    "street": TEXT,
    "city": TEXT,
    "state": TEXT,
    "postal_code": TEXT,
    "country": TEXT,
    "description": TEXT,
}


def create(values: Values, _circumstances: Circumstances) -> Steps:
    """A new account."""
    return Steps((Step(command=command(CreateAccount, with_address(known(values)))),))


def change(values: Values, changed: frozenset[str], _account: Any, _circumstances: Circumstances) -> Steps:
    """What changed of an account."""
    fields = with_address(only(values, changed, but=("owner",)))
    fields = in_currency(fields, "annual_revenue", values.get("annual_revenue"), values)
    edited = edit(EditAccount, fields, CreateAccount)
    steps = [Step(command=edited)] if edited else []
    return assigned(AssignAccount, values, changed, steps)


ACCOUNTS = Kind(name="accounts", entity="account", fields=FIELDS, required=("name",), create=create, change=change)
