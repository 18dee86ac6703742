"""Users out of rows. Without an e-mail address nobody can log in as them."""

from typing import Any

from application.importing.building import command, edit, known, only
from application.importing.kinds import TEXT, Circumstances, Kind, Step, Steps, Values, to
from domain.identity.commands import ChangeUserRole, CreateUser, EditUser

FIELDS = {
    "first_name": TEXT,
    "last_name": TEXT,
    "email": TEXT,
    "phone": TEXT,
    "time_zone": TEXT,
    "language": TEXT,
    "role": TEXT,
    "manager": to("user"),
    "office": TEXT,
}


def create(values: Values, _circumstances: Circumstances) -> Steps:
    """A new user."""
    return Steps((Step(command=command(CreateUser, known(values))),))


def change(values: Values, changed: frozenset[str], _user: Any, _circumstances: Circumstances) -> Steps:
    """What changed of a user. Where the row names no role any more, they keep theirs."""
    edited = edit(EditUser, only(values, changed, but=("role",)), CreateUser)
    steps = [Step(command=edited)] if edited else []
    if "role" in changed and values["role"] is not None:
        steps.append(Step(command=command(ChangeUserRole, {"role": values["role"]})))
    return Steps(tuple(steps))


USERS = Kind(
    name="users",
    entity="user",
    fields=FIELDS,
    create=create,
    change=change,
    personal=frozenset({"first_name", "last_name", "email", "phone"}),
    required=("first_name", "last_name"),
    claimed=frozenset({"email"}),
)
