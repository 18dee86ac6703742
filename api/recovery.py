"""Links by mail over HTTP: another password, an address that is one's own, and accepting an invitation."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from api.auth import tenants_named
from api.operations import Call, Operation
from infrastructure.mailed_tokens import Kind, LinkNotValid
from infrastructure.passwords import WeakPassword
from infrastructure.recovery import MailNotSetUp

Token = Annotated[str, Meta(max_length=200)]
_TOKEN = "cfl_cgGQAAAAAHAAgAAAAAAAAAE…"  # noqa: S105 - what one looks like


class Mailbox(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose mail it is about: `tenant` as with logging in."""

    email: Annotated[str, Meta(max_length=254)]
    tenant: Annotated[str, Meta(min_length=1, max_length=100)] | None = None


class Link(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token of a mailed link: what is behind `#token=` in it."""

    token: Token


class ChosenPassword(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token of a mailed link, to be used up, and the password that its user chose.

    Their API keys end unless told to keep them.
    """

    token: Token
    password: str
    keep_api_keys: bool = False


class GoodLink(Struct, frozen=True, kw_only=True):
    """A link that is good until it is used, or until then."""

    expires_at: datetime


def request_password_reset(call: Call[Mailbox, Any]) -> None:
    """Has a link be mailed, if there is whom to."""
    _ask(call, Kind.RESET)


def resend_verification(call: Call[Mailbox, Any]) -> None:
    """Has another link be mailed, if there is whom to."""
    _ask(call, Kind.VERIFICATION)


def _ask(call: Call[Mailbox, Any], kind: Kind) -> None:
    services = call.services
    profile = services.credentials.tenant(tenants_named(services, call.received, call.body.tenant))
    services.recovery.ask(profile, call.body.email, kind)


def validate_reset_token(call: Call[Link, Any]) -> GoodLink:
    """Until when a link is good. Raises LinkNotValid."""
    return GoodLink(expires_at=call.services.recovery.holder(Kind.RESET, call.body.token).expires_at)


def reset_password(call: Call[ChosenPassword, Any]) -> None:
    """Sets a password. Raises LinkNotValid or WeakPassword."""
    _set_password(call, Kind.RESET)


def accept_invitation(call: Call[ChosenPassword, Any]) -> None:
    """Sets the first password. Raises LinkNotValid or WeakPassword."""
    _set_password(call, Kind.INVITATION)


def _set_password(call: Call[ChosenPassword, Any], kind: Kind) -> None:
    body = call.body
    call.services.recovery.set_password(kind, body.token, body.password, call.client, keep_api_keys=body.keep_api_keys)


def verify_email(call: Call[Link, Any]) -> None:
    """Notes that an address is its user's. Raises LinkNotValid."""
    call.services.recovery.verify(call.body.token, call.client)


def _mailing(name: str, summary: str, run: Any) -> Operation:
    return Operation(
        method="POST",
        path=f"/auth/{name}",
        name=name,
        summary=summary,
        tag="auth",
        limit="auth",
        run=run,
        body=Mailbox,
        answer=None,
        status=202,
        public=True,
        refuses=(MailNotSetUp,),
        example={"email": "ada@example.com", "tenant": "acme"},
    )


def _choosing(name: str, summary: str, run: Any) -> Operation:
    return Operation(
        method="POST",
        path=f"/auth/{name}",
        name=name,
        summary=summary,
        tag="auth",
        limit="auth",
        run=run,
        body=ChosenPassword,
        answer=None,
        status=204,
        public=True,
        hashes=True,
        refuses=(LinkNotValid, WeakPassword),
        example={"token": _TOKEN, "password": "purple monkey dishwasher"},
    )


OPERATIONS: list[Operation] = [
    _mailing(
        "request-password-reset",
        "Have a link be mailed by which one chooses another password. The answer doesn't tell whether anybody has "
        "that address.",
        request_password_reset,
    ),
    Operation(
        method="POST",
        path="/auth/validate-reset-token",
        name="validate-reset-token",
        summary="Find out whether the link of a reset is good, without using it.",
        tag="auth",
        limit="auth",
        run=validate_reset_token,
        body=Link,
        answer=GoodLink,
        public=True,
        refuses=(LinkNotValid,),
        example={"token": _TOKEN},
    ),
    _choosing(
        "reset-password",
        "Choose another password by a mailed link, once. All sessions and a lock end; then log in.",
        reset_password,
    ),
    Operation(
        method="POST",
        path="/auth/verify-email",
        name="verify-email",
        summary="Show by a mailed link that an address is one's own.",
        tag="auth",
        limit="auth",
        run=verify_email,
        body=Link,
        answer=None,
        status=204,
        public=True,
        refuses=(LinkNotValid,),
        example={"token": _TOKEN},
    ),
    _mailing(
        "resend-verification",
        "Have a link be mailed by which one shows that an address is one's own, or one's invitation again. The answer "
        "doesn't tell whether anybody has that address.",
        resend_verification,
    ),
    _choosing(
        "accept-invitation",
        "Choose one's first password by a mailed link, once; then log in.",
        accept_invitation,
    ),
]
