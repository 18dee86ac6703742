"""`clientforge deploy verify`: whether a deployed system works from the log-in to the last read model."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commandline.failures import WrongUsage
from api.commandline.options import DataDir
from api.commandline.seeding import EMAIL, PASSWORD_VARIABLE
from api.commandline.telling import AsJson, tell

if TYPE_CHECKING:
    from api.deployed.access import LoggedIn, LogIn
    from api.deployed.asking import Deployed
    from infrastructure.bootstrap import Application
    from infrastructure.findings import Finding

OWN_TENANT = "deploy-verify"
"""The subdomain of the tenant that is written to."""
_OWN_ADMIN = "deploy-verify@clientforge.local"
_SETTINGS_TODO = "run it where the system's settings are (see --data-dir), or say --http-only"


def verify_command(
    url: Annotated[
        str | None,
        typer.Option(metavar="U", show_default=False, help="The system; PUBLIC_URL, or HOST and PORT, unless given."),
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option(metavar="T", show_default=False, help="Whose admin logs in; the server's default unless given."),
    ] = None,
    email: Annotated[str, typer.Option(metavar="E", help="The admin who logs in.")] = EMAIL,
    password_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", show_default=False, help="A file with the password in its first line; - is stdin."
        ),
    ] = None,
    ask: Annotated[bool, typer.Option("--ask", help="Ask for the password.")] = False,
    code: Annotated[
        str | None,
        typer.Option(metavar="CODE", show_default=False, help="A code of the admin's second factor, who has one."),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=1, metavar="N", help="How long each read model may take to show what was written.")
    ] = 15.0,
    http_only: Annotated[
        bool, typer.Option("--http-only", help="Ask the API alone: without settings, and what they show.")
    ] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Log in to a deployed system, ask every list and report, look at its migrations, queues and workers, and follow a
    write through all read models. Exit code 1 when anything doesn't work.

    The password comes from --password-file, CLIENTFORGE_ADMIN_PASSWORD or --ask. The write goes to the tenant
    'deploy-verify', which is made with the settings by which commands find the system; so are queues and migrations
    looked at. Where those settings are missing or another system's, what needs them fails, unless --http-only is given.
    """
    import logging
    from functools import partial

    from api.deployed.access import LogIn
    from api.deployed.asking import Deployed

    logging.disable(logging.CRITICAL)
    who = LogIn(email=email, password=_password(password_file, ask=ask), tenant=tenant, code=code)
    behind = partial(_with_settings, seconds=seconds, data_dir=data_dir)
    if http_only:
        behind = partial(_by_http_alone, seconds=seconds)
    with Deployed(url or _url(data_dir)) as deployed:
        tell(list(_verified(deployed, who, behind)), as_json=as_json)


def _verified(
    deployed: "Deployed", who: "LogIn", behind: "Callable[[Deployed, LoggedIn], list[Finding]]"
) -> "Iterator[Finding]":
    from api.deployed.access import health, log_in, log_out
    from api.deployed.endpoints import endpoints
    from infrastructure.findings import failed, skipped

    lives = health(deployed)
    yield from lives
    if len(lives) == 1 and failed(lives):
        yield skipped("all else", "nothing answers")
        return
    found, me = log_in(deployed, who)
    yield from found
    if me is None:
        yield skipped("all else", "it needs the log-in")
        return
    with deployed.bearing(me.token) as bearing:
        yield from endpoints(bearing)
        yield from behind(bearing, me)
        yield from log_out(bearing)


def _with_settings(deployed: "Deployed", me: "LoggedIn", seconds: float, data_dir: Path | None) -> "list[Finding]":
    """What needs more than HTTP. What was not looked at fails: nobody shall take it for well."""
    import psycopg

    from api.commandline.context import application
    from api.deployed.behind import behind
    from infrastructure.datadir import NoSettings
    from infrastructure.findings import failure
    from infrastructure.postgres import UnsafeRole
    from infrastructure.settings import InvalidSettings

    try:
        with application(data_dir) as built:
            if not _is_of(built, me):
                told = f"those found here are not of {deployed.url}: the rest isn't looked at"
                return [failure("settings", told, _SETTINGS_TODO)]
            return [*behind(built.settings), *_in_a_tenant_of_its_own(built, deployed, seconds)]
    except (InvalidSettings, NoSettings):
        told = "there are none, or they are not valid: migrations, queues, workers and a write aren't looked at"
        return [failure("settings", told, _SETTINGS_TODO)]
    except (psycopg.OperationalError, UnsafeRole) as error:
        told = f"they lead to no database that can be used ({type(error).__name__})"
        return [failure("settings", told, "clientforge verify services")]


def _is_of(built: "Application", me: "LoggedIn") -> bool:
    """Whether these settings are of the system that the log-in was to: it has the same tenant."""
    from domain.kernel import NotFound

    try:
        return built.tenancy.find(me.tenant).subdomain == me.subdomain
    except NotFound:
        return False


def _by_http_alone(deployed: "Deployed", me: "LoggedIn", seconds: float) -> "list[Finding]":
    from api.deployed.following import followed
    from infrastructure.findings import skipped

    rest = [skipped("migrations, workers", "--http-only: they are seen with the system's settings alone")]
    if me.subdomain == OWN_TENANT:
        return [*rest, *followed(deployed, seconds)]
    return [*rest, skipped("write", f"--http-only: only an admin of the tenant '{OWN_TENANT}' can try it")]


def _in_a_tenant_of_its_own(built: "Application", deployed: "Deployed", seconds: float) -> "list[Finding]":
    """Follows a write in the tenant that is there for this. Nobody can log in there: a session is made for once."""
    from api.deployed.following import followed
    from domain.kernel import Refused
    from infrastructure.findings import failure

    try:
        token = _token(built)
    except Refused as refused:
        return [failure("write", f"in the tenant '{OWN_TENANT}': {refused.message}", "mend that tenant")]
    with deployed.bearing(token) as own:
        try:
            return followed(own, seconds)
        finally:
            own.ask("POST", "/auth/logout")


def _token(built: "Application") -> str:
    """An access token of the tenant's admin; tenant and admin are made if they are missing. Raises a Refused."""
    from api.commandline.seeding import make_admin
    from domain.kernel import NotFound
    from domain.tenants.commands import RegisterTenant
    from infrastructure.sessions import Sessions
    from infrastructure.tokens import AccessTokens

    try:
        tenant = built.tenancy.find(OWN_TENANT)
    except NotFound:
        tenant = built.tenancy.register(RegisterTenant(name="Deployment verification", subdomain=OWN_TENANT))
    admin = make_admin(built, tenant, _OWN_ADMIN)
    sessions = Sessions(built.database, AccessTokens(built.settings.jwt_secret.get_secret_value()))
    with built.database.transaction(tenant.id) as transaction:
        return sessions.start(transaction, admin.user).access_token


def _password(file: Path | None, *, ask: bool) -> str:
    import os

    if ask:
        return str(typer.prompt("Password", hide_input=True, err=True))
    if file is not None:
        try:
            text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise WrongUsage(f"--password-file can't be read: {type(error).__name__}.") from None
        return text.partition("\n")[0]
    if password := os.environ.get(PASSWORD_VARIABLE):
        return password
    raise WrongUsage(f"Give the password by --password-file, {PASSWORD_VARIABLE} or --ask.")


def _url(data_dir: Path | None) -> str:
    from api.commandline.context import settings
    from infrastructure.checks.serving import url_of

    return url_of(settings(data_dir))
