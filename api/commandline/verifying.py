"""`clientforge events verify`: whether the stored logs are what was appended."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from api.commandline.options import AllOrOneTenant, DataDir

if TYPE_CHECKING:
    from uuid import UUID

    from infrastructure.bootstrap import Application
    from infrastructure.verification import Verification


def verify_command(tenant: AllOrOneTenant = None, data_dir: DataDir = None) -> None:
    """Recompute the hash chain of every tenant's log, and compare it with what is stored.

    An event that was altered, removed, inserted or moved behind the application's back breaks the chain: the first
    bad position of each tenant is printed, and the exit code is 1. Whoever can rewrite the whole chain with its head
    isn't found out this way.
    """
    from api.commandline.context import application
    from api.commandline.progress import progress
    from infrastructure.verification import verify

    sound = True
    with application(data_dir) as built:
        for name, id in _logs(built, tenant):
            with progress(f"Verifying {name}", "events") as tell:
                verified = verify(built.database, id, tell)
            print(_verdict(name, verified), flush=True)
            sound = sound and verified.flaw is None
        if tenant is None:
            _note(built, sound)
    if not sound:
        raise typer.Exit(1)


def _note(built: "Application", sound: bool) -> None:
    """Tells those who look after the system when all logs were last verified, and how it went."""
    import sys

    import redis

    from infrastructure.upkeep import Upkeep

    try:
        Upkeep(built.redis, prefix=built.settings.redis_prefix).note("chain_verification", well=sound)
    except redis.RedisError:
        print("clientforge: Redis is away, so no metric tells of this verification.", file=sys.stderr)


def _logs(built: "Application", tenant: str | None) -> Iterator[tuple[str, "UUID"]]:
    """The names and ids of the tenants whose logs are to be checked."""
    from api.commandline.context import find
    from api.commandline.failures import WrongUsage
    from infrastructure.verification import tenants_with_a_log

    if tenant is not None:
        found = find(built.tenancy, tenant)
        yield found.subdomain, found.id
        return
    monitor = built.settings.database_monitor_url
    if monitor is None:
        raise WrongUsage("To find all tenants, this needs DATABASE_MONITOR_URL. Or name one with --tenant.")
    for id in tenants_with_a_log(monitor.get_secret_value()):
        yield _name(built, id), id


def _name(built: "Application", id: "UUID") -> str:
    """A tenant's subdomain, or its id where the platform's log doesn't say: that log may be what is broken."""
    from api.commandline.context import find

    try:
        return find(built.tenancy, str(id)).subdomain
    except Exception:
        return str(id)


def _verdict(name: str, verified: "Verification") -> str:
    if verified.flaw is None:
        return f"{name}: {verified.events:,} events, intact"
    return f"{name}: BROKEN at position {verified.flaw.position}: {verified.flaw.reason}"
