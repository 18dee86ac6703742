"""One's second factor over HTTP: set up with a device, confirmed by a code, turned off with password and code."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from api.auth import Code, Password
from api.operations import Call, Operation
from domain.identity.events import UserPersonal
from infrastructure.credentials import WrongPassword
from infrastructure.enrolments import Enrolment
from infrastructure.second_factors import SecondFactor, SecondFactorOff, SecondFactorOn, WrongCode

_EXAMPLE_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # noqa: S105 - of the documentation


class BeginSecondFactor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The present password: whoever merely has the session sets no second factor up."""

    password: Password


class ConfirmSecondFactor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A code that the device shows."""

    code: Code


class TurnSecondFactorOff(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The present password, and a code that the device shows, or a recovery code."""

    password: Password
    code: Code


class RecoveryCodes(Struct, frozen=True, kw_only=True):
    """What lets one in without the device, each once. They are told this once: only their hashes are kept."""

    recovery_codes: Annotated[list[str], Meta(min_length=1)]


def show(call: Call[None, Any]) -> SecondFactor:
    """Whether the user has a second factor."""
    return call.services.second_factors.of(call.principal.tenant, call.principal.user)


def begin(call: Call[BeginSecondFactor, Any]) -> Enrolment:
    """A secret for the user's device. Raises WrongPassword or SecondFactorOn."""
    principal, services = call.principal, call.services
    state = services.handler.present(principal.tenant, "user", principal.user).state
    personal = state.personal if isinstance(state.personal, UserPersonal) else None
    return services.enrolments.begin(
        principal,
        call.body.password,
        account=(personal.email if personal else None) or str(principal.user),
        issuer=f"ClientForge {services.profiles.of(principal.tenant).subdomain}",
        client=call.client,
    )


def confirm(call: Call[ConfirmSecondFactor, Any]) -> RecoveryCodes:
    """Turns it on. Raises WrongCode or SecondFactorOff."""
    codes = call.services.enrolments.confirm(call.principal, call.body.code, call.client)
    return RecoveryCodes(recovery_codes=list(codes))


def turn_off(call: Call[TurnSecondFactorOff, Any]) -> None:
    """Turns it off. Raises WrongPassword, WrongCode or SecondFactorOff."""
    call.services.enrolments.turn_off(call.principal, call.body.password, call.body.code, call.client)


OPERATIONS: list[Operation] = [
    Operation(
        method="GET",
        path="/auth/second-factor",
        name="show-second-factor",
        by_person=True,
        summary="Whether one has a second factor, and how many recovery codes are left.",
        tag="auth",
        run=show,
        answer=SecondFactor,
    ),
    Operation(
        method="POST",
        path="/auth/second-factor",
        name="begin-second-factor",
        by_person=True,
        summary="Begin to set a second factor up: a secret for one's device (TOTP), told once. A code must confirm it.",
        tag="auth",
        limit="auth",
        run=begin,
        body=BeginSecondFactor,
        answer=Enrolment,
        hashes=True,
        refuses=(WrongPassword, SecondFactorOn),
        example={"password": "correct horse battery staple"},
        answer_example={
            "secret": _EXAMPLE_SECRET,
            "uri": f"otpauth://totp/ClientForge%20acme:ada%40example.com?secret={_EXAMPLE_SECRET}"
            "&issuer=ClientForge%20acme",
        },
    ),
    Operation(
        method="POST",
        path="/auth/second-factor/confirm",
        name="confirm-second-factor",
        by_person=True,
        summary="Turn the second factor on by a code of the device. One's other sessions end; the answer has recovery "
        "codes, told once.",
        tag="auth",
        limit="auth",
        run=confirm,
        body=ConfirmSecondFactor,
        answer=RecoveryCodes,
        refuses=(WrongCode, SecondFactorOff),
        example={"code": "287082"},
        answer_example={"recovery_codes": ["MZXW-6YTB-OI5D-CNRQ", "…"]},
    ),
    Operation(
        method="POST",
        path="/auth/second-factor/turn-off",
        name="turn-second-factor-off",
        by_person=True,
        summary="Turn the second factor off, with the password and a code of the device or a recovery code.",
        tag="auth",
        limit="auth",
        run=turn_off,
        body=TurnSecondFactorOff,
        answer=None,
        status=204,
        hashes=True,
        refuses=(WrongPassword, WrongCode, SecondFactorOff),
        example={"password": "correct horse battery staple", "code": "287082"},
    ),
]
