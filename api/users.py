"""Users over HTTP. Their passwords are set here, and kept apart from the log."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Struct, structs

from api.commands import carried_out
from api.operations import Call, Operation, Reply
from api.records import Records
from application.handling import Forbidden, Outcome
from application.neighbourhood import TooDeep
from domain.identity.commands import ActivateUser, ChangeUserRole, CreateUser, DeactivateUser, EditUser
from domain.identity.staff import LastAdmin, TooManyUsers
from domain.kernel import Archived, HierarchyCycle, Invalid, NotFound, PersonalDataErased, Refused
from infrastructure.passwords import WeakPassword, check_password
from infrastructure.recovery import InvitationNotNeeded, MailNotSetUp, TooManyMails
from projections.identity.directory import USERS, UserRow

RECORDS = Records(
    path="users",
    entity="user",
    directory=USERS,
    row=UserRow,
    create=CreateUser,
    edit=EditUser,
    archive=DeactivateUser,
    restore=ActivateUser,
    refuses=(HierarchyCycle, TooDeep, PersonalDataErased),
    archive_refuses=(LastAdmin,),
    restore_refuses=(TooManyUsers,),
    example={
        "first_name": "Grace",
        "last_name": "Hopper",
        "email": "grace@example.com",
        "phone": "+1 202 555 0143",
        "role": "rep",
    },
    edit_example={"office": "Arlington", "phone": None},
    past="audit",
)

NewUser = msgspec.defstruct(
    "NewUser",
    [
        *((each.name, each.type, *(() if each.required else (each.default,))) for each in structs.fields(CreateUser)),
        ("password", str | None, None),
    ],
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
)
NewUser.__doc__ = "A user to be created, and perhaps their first password."


class SetPassword(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give a user another password, and end their sessions."""

    password: str


def create(call: Call[Any, Any]) -> Reply:
    """Creates a user. A repetition of the request sets the password too, unless the first one came to it."""
    password: str | None = call.body.password
    if password is not None:
        tenant = call.services.profiles.of(call.principal.tenant)
        about = (call.body.first_name, call.body.last_name, call.body.email or "", tenant.name, tenant.subdomain)
        check_password(password, "/password", about=about)
    command = CreateUser(**{name: getattr(call.body, name) for name in CreateUser.__struct_fields__})
    reply = carried_out(call, "user", command, creates=True)
    if password is not None:
        outcome: Outcome = reply.body
        call.services.credentials.set_first(call.principal.tenant, outcome.id, password, call.sender.actor, call.client)
    return reply


def set_password(call: Call[SetPassword, Any]) -> None:
    """Gives a user another password. Raises NotFound or WeakPassword."""
    call.services.credentials.set(
        call.principal.tenant, call.received.record, call.body.password, call.sender.actor, call.client
    )


def unlock(call: Call[None, Any]) -> None:
    """Lets a user try to log in again at once. Raises NotFound."""
    call.services.credentials.unlock(call.principal.tenant, call.received.record, call.sender.actor, call.client)


def invite(call: Call[None, Any]) -> None:
    """Has a user be mailed a link by which they choose their first password. Raises NotFound and others."""
    call.services.recovery.invite(call.principal.tenant, call.received.record, call.sender.actor, call.client)


def end_sessions(call: Call[None, Any]) -> None:
    """Logs a user out everywhere. Raises NotFound."""
    call.services.credentials.end_sessions(call.principal.tenant, call.received.record, call.sender.actor, call.client)


def reset_second_factor(call: Call[None, Any]) -> None:
    """Takes a user's second factor away, who lost it. Raises NotFound, or Forbidden for one's own."""
    if call.received.record == call.principal.user:
        raise Forbidden("Turn your own second factor off with your password and a code, or ask another admin.")
    call.services.enrolments.reset(call.principal.tenant, call.received.record, call.sender.actor, call.client)


def _on_access(
    verb: str, summary: str, run: Callable[[Call[Any, Any]], None], *, refuses: Sequence[type[Refused]] = ()
) -> Operation:
    return Operation(
        method="POST",
        path=f"/users/{{id:uuid}}/{verb}",
        name=f"{verb}-of-user",
        summary=summary,
        tag="users",
        run=run,
        answer=None,
        status=204,
        permission="user:manage",
        refuses=(NotFound, *refuses),
    )


_CREATE, *_OTHERS = RECORDS.operations()

OPERATIONS: list[Operation] = [
    structs.replace(
        _CREATE, run=create, body=NewUser, hashes=True, refuses=(*_CREATE.refuses, TooManyUsers, WeakPassword)
    ),
    *_OTHERS,
    RECORDS.verb("role", ChangeUserRole, example={"role": "manager"}, refuses=(LastAdmin,)),
    RECORDS.verb("deactivate", DeactivateUser, refuses=(LastAdmin,)),
    RECORDS.verb("activate", ActivateUser, refuses=(TooManyUsers,)),
    Operation(
        method="POST",
        path="/users/{id:uuid}/set-password",
        name="set-password-of-user",
        summary="Give a user another password, and end their sessions.",
        tag="users",
        run=set_password,
        body=SetPassword,
        answer=None,
        status=204,
        permission="user:manage",
        hashes=True,
        refuses=(NotFound, WeakPassword),
        example={"password": "correct horse battery staple"},
    ),
    _on_access("unlock", "Let a user whose log-ins failed too often try again at once.", unlock),
    _on_access(
        "invite",
        "Mail a user who has no password yet a link by which they choose one.",
        invite,
        refuses=(Archived, Invalid, InvitationNotNeeded, TooManyMails, MailNotSetUp),
    ),
    _on_access("end-sessions", "Log a user out everywhere.", end_sessions),
    _on_access(
        "reset-second-factor",
        "Let a user who lost their second factor log in without it. One's own stays.",
        reset_second_factor,
    ),
]
