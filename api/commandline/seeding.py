"""`clientforge seed`: the first user of a tenant, who can make all others."""

import sys
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from api.commandline.failures import CommandFailed
from api.commandline.options import DataDir, OneTenant
from api.published_password import PUBLISHED_PASSWORD

if TYPE_CHECKING:
    from uuid import UUID

    from application.tenancy import TenantProfile
    from infrastructure.bootstrap import Application
    from infrastructure.credentials import Credentials
    from infrastructure.enrolments import Enrolments

EMAIL = "admin@clientforge.local"
PASSWORD = PUBLISHED_PASSWORD
PASSWORD_VARIABLE = "CLIENTFORGE_ADMIN_PASSWORD"  # noqa: S105 - the name of a variable


class Seeded(NamedTuple):
    """What seeding an admin came to. `lost` says that their second factor was taken away."""

    user: "UUID"
    made: bool
    lost: bool = False


def admin_command(
    tenant: OneTenant = None,
    email: Annotated[str, typer.Option(metavar="E", help="The admin's log-in.")] = EMAIL,
    password: Annotated[
        str | None,
        typer.Option(
            metavar="P",
            envvar=PASSWORD_VARIABLE,
            show_envvar=True,
            show_default=False,
            help=f"At least 12 characters; '{PASSWORD}' unless given. Other users of this machine may see a command "
            "line: rather use the variable, or --ask.",
        ),
    ] = None,
    ask: Annotated[bool, typer.Option("--ask", help="Ask for the password.")] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Give an admin who is there already this password.")] = False,
    no_second_factor: Annotated[
        bool,
        typer.Option("--no-second-factor", help="Let an admin who lost their second factor log in without it."),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Give a tenant an admin who can log in. Repeating it changes nothing: a password that is there stays.

    The default password is published, so it must be changed at once. With ENVIRONMENT=production it is refused.
    """
    from api.commandline.context import application
    from api.commandline.context import tenant as tenant_named

    if ask:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    with application(data_dir) as built:
        found = tenant_named(built, tenant)
        seeded = seed_admin(built, found, email, password, reset=reset, no_second_factor=no_second_factor)
        published = has_default_password(built, found, seeded.user)
    if seeded.made:
        print(f"Made the admin {email} of '{found.subdomain}'.")
    elif reset:
        print(f"The admin {email} of '{found.subdomain}' has another password now.")
    else:
        print(f"The admin {email} of '{found.subdomain}' is there already, and keeps the password (see --reset).")
    if no_second_factor:
        print("Their second factor is off now." if seeded.lost else "They have no second factor.")
    if published:
        warn()


def warn() -> None:
    """Says that the default password is no secret."""
    print(
        f"WARNING: the password is '{PASSWORD}', which everybody can read in the documentation. CHANGE IT NOW:\n"
        "         log in and POST /api/v1/auth/change-password.",
        file=sys.stderr,
    )


def seed_admin(
    built: "Application",
    tenant: "TenantProfile",
    email: str,
    password: str | None,
    *,
    reset: bool = False,
    no_second_factor: bool = False,
) -> Seeded:
    """Makes an admin who can log in, unless that user is there. Raises a Refused, or CommandFailed in production."""
    from infrastructure.passwords import check_password
    from infrastructure.sessions import Client

    if password is None and built.settings.environment == "production":
        raise CommandFailed(
            f"With ENVIRONMENT=production the default password is refused: give one by {PASSWORD_VARIABLE} or --ask."
        )
    if password is not None:
        check_password(password, "/password", about=(email, tenant.name, tenant.subdomain))
    seeded = make_admin(built, tenant, email)
    (credentials, enrolments), client = _access(built), Client()
    if reset:
        credentials.set(tenant.id, seeded.user, password or PASSWORD, "cli", client, checked=False)
    else:
        credentials.set_first(tenant.id, seeded.user, password or PASSWORD, "cli", client)
    if no_second_factor:
        seeded = seeded._replace(lost=enrolments.reset(tenant.id, seeded.user, "cli", client))
    return seeded


def has_default_password(built: "Application", tenant: "TenantProfile", user: "UUID") -> bool:
    """Whether a user can log in with the published password."""
    from infrastructure.passwords import Passwords

    rows = built.database.read(
        tenant.id,
        "SELECT password_hash FROM credentials WHERE tenant_id = %(tenant)s AND user_id = %(user)s",
        {"user": user},
    )
    return bool(rows) and Passwords().verify(rows[0]["password_hash"], PASSWORD)


def refuse_published_password(built: "Application") -> None:
    """Raises CommandFailed while the seeded admin of the default tenant has the published password.

    Whoever else has it, in whatever tenant, can't log in with it: see `Passwords.opens_nothing`.
    """
    from application.recording import stream_subject
    from domain.kernel import Claim, NotFound

    if built.settings.default_tenant is None:
        return
    try:
        tenant = built.tenancy.find(built.settings.default_tenant)
    except NotFound:
        return
    claim = Claim("user.email", EMAIL.casefold())
    holder = built.store.holders(tenant.id, (claim,)).get(claim)
    if holder and has_default_password(built, tenant, stream_subject(holder)[1]):
        raise CommandFailed(
            f"With ENVIRONMENT=production nothing starts while {EMAIL} of '{tenant.subdomain}' has the published "
            f"password: clientforge seed admin --tenant {tenant.subdomain} --reset --ask"
        )


def make_admin(built: "Application", tenant: "TenantProfile", email: str) -> Seeded:
    """The admin with this address, made if nobody has it. Raises CommandFailed where somebody else has it."""
    import msgspec
    from uuid_utils.compat import uuid7

    from api.commandline.context import sender
    from application.recording import stream_subject
    from domain.identity.commands import CreateUser
    from domain.kernel import Claim
    from domain.permissions import Role

    claim = Claim("user.email", email.casefold())
    if holder := built.store.holders(tenant.id, (claim,)).get(claim):
        user = stream_subject(holder)[1]
        state = built.handler.present(tenant.id, "user", user).state
        if state.role is not Role.ADMIN or not state.active:
            raise CommandFailed(f"{email} of '{tenant.subdomain}' is a user already, but no active admin.")
        return Seeded(user, made=False)
    command = msgspec.convert(
        {"first_name": "Master", "last_name": "Admin", "email": email, "role": Role.ADMIN}, CreateUser
    )
    return Seeded(built.handler.handle(sender(tenant), "user", uuid7(), command).id, made=True)


def _access(built: "Application") -> "tuple[Credentials, Enrolments]":
    """What users log in with."""
    from infrastructure.credentials import Credentials
    from infrastructure.enrolments import Enrolments
    from infrastructure.lockouts import Lockouts
    from infrastructure.passwords import Passwords
    from infrastructure.second_factors import SecondFactors
    from infrastructure.security_log import SecurityLog
    from infrastructure.sessions import Sessions
    from infrastructure.tokens import AccessTokens

    sessions = Sessions(built.database, AccessTokens(built.settings.jwt_secret.get_secret_value()))
    security = SecurityLog(built.database, built.store, built.announcements)
    factors, lockouts = SecondFactors(built.database, built.keyring), Lockouts()
    credentials = Credentials(
        built.database, built.store, built.tenancy, sessions, Passwords(), security, factors, lockouts
    )
    return credentials, Enrolments(built.database, credentials, factors, sessions, lockouts, security)
