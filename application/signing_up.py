"""Signing up: a new tenant with its first admin, who gets in by a link that is mailed to them, and not before."""

from uuid import UUID

from msgspec import Struct
from uuid_utils.compat import uuid7

import domain.identity.commands
from application.handling import AlreadyTaken, Handler
from application.tenancy import Tenancy, TenantProfile, operator
from domain.identity.commands import CreateUser
from domain.kernel import Refused
from domain.permissions import Role
from domain.tenants.commands import RegisterTenant, Subdomain
from domain.tenants.signing_up import check_signed_up
from domain.values import Email, Name, TimeZone, check_texts

SIGN_UP = "sign-up"
"""Who acted, in the metadata of what a sign-up causes: nobody is known yet."""


class SignUpOff(Refused):
    """Nobody can sign up here: the operator makes the tenants (SIGN_UP)."""

    code = "sign_up_off"


class SignUp(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tenant that somebody wants, and who they are. They choose their password when they open the mailed link."""

    company: Name
    subdomain: Subdomain
    time_zone: TimeZone = "UTC"
    first_name: Name
    last_name: Name
    email: Email

    @property
    def admin(self) -> CreateUser:
        """The first user."""
        return CreateUser(
            first_name=self.first_name,
            last_name=self.last_name,
            email=self.email,
            time_zone=self.time_zone,
            role=Role.ADMIN,
        )


def check_sign_up(asked: SignUp) -> None:
    """Refuses what couldn't be made, before anything is. Raises Invalid."""
    check_texts(asked)
    check_signed_up(asked.subdomain)
    domain.identity.commands.decide(asked.admin, None, {})


def sign_up(tenancy: Tenancy, handler: Handler, asked: SignUp) -> tuple[TenantProfile, UUID]:
    """Makes the tenant, with the plan and limits that any has, and its admin. Raises AlreadyTaken or Invalid."""
    command = RegisterTenant(name=asked.company, subdomain=asked.subdomain, time_zone=asked.time_zone)
    try:
        tenant = tenancy.register(command, actor=SIGN_UP)
    except AlreadyTaken:
        # Without the tenant that has it: that is nobody's business.
        raise AlreadyTaken("Another tenant has this subdomain: choose another one.", field="/subdomain") from None
    user = uuid7()
    handler.handle(operator(tenant.id, SIGN_UP), "user", user, asked.admin)
    return tenant, user
