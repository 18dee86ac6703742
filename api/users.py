"""Users over HTTP. Their passwords are set here, and kept apart from the log.

What gives somebody more access than they have is for people: an API key would reach beyond its scopes by it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct, structs

from api.commands import carried_out
from api.operations import Call, Operation, Reply
from api.records import Records
from application.handling import Forbidden, Outcome
from application.neighbourhood import TooDeep
from domain.identity.commands import ActivateUser, ChangeUserRole, CreateUser, DeactivateUser, EditUser
from domain.identity.staff import LastAdmin, TooManyUsers
from domain.kernel import Archived, HierarchyCycle, Invalid, NotFound, PersonalDataErased, Refused
from domain.permissions import HELD_BY, Role
from infrastructure.passwords import WeakPassword, check_password
from infrastructure.recovery import InvitationNotNeeded, MailNotSetUp, TooManyMails
from infrastructure.sessions import Principal
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
    """Give a user another password, and end their sessions, and their API keys unless told to keep them."""

    password: str
    keep_api_keys: bool = False


class EndSessions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Log a user out everywhere, and end their API keys unless told to keep them."""

    keep_api_keys: bool = False


OF_PEOPLE = frozenset({"email", "manager"})
"""What an edit by a key leaves alone: where a new password can be asked for, and whose records somebody sees."""


def create(call: Call[Any, Any]) -> Reply:
    """Creates a user. A repetition of the request sets the password too, unless the first one came to it."""
    password: str | None = call.body.password
    if call.principal.by_key:
        _check_reach_of_key(call.principal, call.body.role, password)
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


def _check_reach_of_key(key: Principal, role: Role, password: str | None) -> None:
    """Refuses a new user who could do more than the API key that makes them. Raises Forbidden."""
    if password is not None:
        raise Forbidden("No API key can set a password: log in.")
    if beyond := sorted(HELD_BY[role] - key.permissions):
        raise Forbidden(
            f"This API key can't make somebody a {role}: it may not do {beyond[0]} itself. Log in for that."
        )


def edit(call: Call[EditUser, Any]) -> Reply:
    """Changes a user. Raises Forbidden for what no key may change."""
    named = [name for name in sorted(OF_PEOPLE) if getattr(call.body, name) is not UNSET]
    if call.principal.by_key and named:
        raise Forbidden(f"No API key can change a user's {named[0]}: log in.")
    return carried_out(call, "user", call.body)


def set_password(call: Call[SetPassword, Any]) -> None:
    """Gives a user another password. Raises NotFound or WeakPassword."""
    call.services.credentials.set(
        call.principal.tenant,
        call.received.record,
        call.body.password,
        call.sender.actor,
        call.client,
        keep_api_keys=call.body.keep_api_keys,
    )


def unlock(call: Call[None, Any]) -> None:
    """Lets a user try to log in again at once. Raises NotFound."""
    call.services.credentials.unlock(call.principal.tenant, call.received.record, call.sender.actor, call.client)


def invite(call: Call[None, Any]) -> None:
    """Has a user be mailed a link by which they choose their first password. Raises NotFound and others."""
    call.services.recovery.invite(call.principal.tenant, call.received.record, call.sender.actor, call.client)


def end_sessions(call: Call[EndSessions, Any]) -> None:
    """Logs a user out everywhere. Raises NotFound."""
    call.services.credentials.end_sessions(
        call.principal.tenant,
        call.received.record,
        call.sender.actor,
        call.client,
        keep_api_keys=call.body.keep_api_keys,
    )


def reset_second_factor(call: Call[None, Any]) -> None:
    """Takes a user's second factor away, who lost it. Raises NotFound, or Forbidden for one's own."""
    if call.received.record == call.principal.user:
        raise Forbidden("Turn your own second factor off with your password and a code, or ask another admin.")
    call.services.enrolments.reset(call.principal.tenant, call.received.record, call.sender.actor, call.client)


def _on_access(
    verb: str,
    summary: str,
    run: Callable[[Call[Any, Any]], None],
    *,
    body: type[Struct] | None = None,
    refuses: Sequence[type[Refused]] = (),
) -> Operation:
    return Operation(
        method="POST",
        path=f"/users/{{id:uuid}}/{verb}",
        name=f"{verb}-of-user",
        summary=summary,
        tag="users",
        run=run,
        body=body,
        answer=None,
        status=204,
        permission="user:manage",
        by_person=True,
        refuses=(NotFound, *refuses),
        example=None if body is None else {},
    )


_GENERIC = {each.name: each for each in RECORDS.operations()}
_CREATE, _EDIT, _RESTORE = (_GENERIC[name] for name in ("create-user", "edit-user", "restore-user"))
_GENERIC |= {
    "create-user": structs.replace(
        _CREATE,
        run=create,
        body=NewUser,
        hashes=True,
        by_key="without a password, and with a role that may do no more than the key",
        refuses=(*_CREATE.refuses, TooManyUsers, WeakPassword),
    ),
    "edit-user": structs.replace(_EDIT, run=edit, by_key="but for `email` and `manager`"),
    "restore-user": structs.replace(_RESTORE, by_person=True),
}

OPERATIONS: list[Operation] = [
    *_GENERIC.values(),
    structs.replace(
        RECORDS.verb("role", ChangeUserRole, example={"role": "manager"}, refuses=(LastAdmin,)), by_person=True
    ),
    RECORDS.verb("deactivate", DeactivateUser, example={}, refuses=(LastAdmin,)),
    structs.replace(RECORDS.verb("activate", ActivateUser, refuses=(TooManyUsers,)), by_person=True),
    Operation(
        method="POST",
        path="/users/{id:uuid}/set-password",
        name="set-password-of-user",
        summary="Give a user another password, and end their sessions, and their API keys unless told to keep them.",
        tag="users",
        run=set_password,
        body=SetPassword,
        answer=None,
        status=204,
        permission="user:manage",
        by_person=True,
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
    _on_access(
        "end-sessions",
        "Log a user out everywhere, and end their API keys unless told to keep them.",
        end_sessions,
        body=EndSessions,
    ),
    _on_access(
        "reset-second-factor",
        "Let a user who lost their second factor log in without it. One's own stays.",
        reset_second_factor,
    ),
]
