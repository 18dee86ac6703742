"""Making a tenant of one's own over HTTP, where the operator lets people do so."""

from typing import Any
from uuid import UUID

from msgspec import Struct

from api.operations import Call, Operation
from application.handling import AlreadyTaken
from application.signing_up import SignUp, SignUpOff, check_sign_up, sign_up
from domain.kernel import Invalid
from infrastructure.recovery import MailNotSetUp, TooManyMails


class SignedUp(Struct, frozen=True, kw_only=True):
    """The tenant that was made. Its admin gets in by the link that was mailed to them."""

    tenant: UUID
    subdomain: str


def register(call: Call[SignUp, Any]) -> SignedUp:
    """Makes a tenant with its admin. Raises SignUpOff, AlreadyTaken, Invalid, TooManyMails or MailNotSetUp."""
    services = call.services
    if not services.settings.sign_up:
        raise SignUpOff("Nobody can sign up here: ask the operator for a tenant.")
    check_sign_up(call.body)
    services.recovery.check_sign_up(call.body.email)
    tenant, admin = sign_up(services.tenancy, services.handler, call.body)
    services.recovery.welcome(tenant.id, admin, call.client)
    return SignedUp(tenant=tenant.id, subdomain=tenant.subdomain)


OPERATIONS: list[Operation] = [
    Operation(
        method="POST",
        path="/auth/register",
        name="register",
        summary="Make a tenant with its first admin, who is mailed a link by which they choose their password.",
        tag="auth",
        limit="login",
        run=register,
        body=SignUp,
        answer=SignedUp,
        status=201,
        public=True,
        refuses=(SignUpOff, MailNotSetUp, AlreadyTaken, Invalid, TooManyMails),
        example={
            "company": "Acme Inc.",
            "subdomain": "acme",
            "first_name": "Ada",
            "last_name": "Lovelace",
            "email": "ada@example.com",
        },
    )
]
