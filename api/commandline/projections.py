"""`clientforge projections`: where the read side stands, and what to do about it."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from api.commandline.failures import CommandFailed, WrongUsage
from api.commandline.options import AllOrOneTenant, DataDir, OneTenant

if TYPE_CHECKING:
    from application.tenancy import TenantProfile
    from infrastructure.bootstrap import Application
    from projections.decisions import Decisions
    from projections.status import ProjectionStatus

_Names = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]...", show_default=False, help="Only these; see `status`.")
]


def status_command(tenant: AllOrOneTenant = None, data_dir: DataDir = None) -> None:
    """Show how far each projection of each tenant is: position, lag, generation, and what stands still, and why."""
    from api.commandline.context import application

    with application(data_dir) as built:
        print(_row("tenant", "projection", "generation", "position", "behind", "for", "state"))
        for profile in _tenants(built, tenant):
            for each in _status(built, profile):
                lag = f"{each.lag_seconds:.1f} s" if each.lag_events else "-"
                numbers = (str(each.generation), str(each.position), str(each.lag_events), lag)
                print(_row(profile.subdomain, each.projection, *numbers, _state(each)))


def _row(tenant: str, projection: str, generation: str, position: str, behind: str, lag: str, state: str) -> str:
    return f"{tenant:<20} {projection:<18} {generation:>10} {position:>10} {behind:>9} {lag:>9}  {state}"


def _state(status: "ProjectionStatus") -> str:
    if status.parked_at is not None:
        return (
            f"PARKED before position {status.position + 1} since {status.parked_at:%Y-%m-%d %H:%M:%S}Z: {status.error}"
        )
    if status.failure is not None:
        again = f", again at {status.retry_at:%H:%M:%S}Z" if status.retry_at else ""
        return f"waiting after {status.attempts} tries ({status.failure}){again}"
    return "up to date" if status.lag_events == 0 else "behind"


def retry_command(names: _Names = None, tenant: AllOrOneTenant = None, data_dir: DataDir = None) -> None:
    """Let projections that are parked, or wait for their next try, try again at once: all, or those named."""
    from api.commandline.context import ACTOR, application

    with application(data_dir) as built:
        _refuse_unknown(built, names or [])
        decisions, done = _decisions(built), 0
        for profile in _tenants(built, tenant):
            for each in _status(built, profile):
                if each.failure is not None and (not names or each.projection in names):
                    decisions.retry(profile.id, each.projection, by=ACTOR)
                    print(f"{each.projection} of {profile.subdomain} tries again from position {each.position + 1}.")
                    done += 1
    if not done:
        print("Nothing stands still.")


def skip_command(
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept for the audit.", show_default=False)],
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", show_default=False, help="Which; needless where a single one is parked."),
    ] = None,
    tenant: OneTenant = None,
    data_dir: DataDir = None,
) -> None:
    """Leave the event that a projection is parked before out of it, for good, and go on with the next one."""
    from api.commandline.context import ACTOR, application
    from api.commandline.context import tenant as tenant_named

    if not reason.strip():
        raise WrongUsage("--reason says why: it can't be empty.")
    with application(data_dir) as built:
        profile = tenant_named(built, tenant)
        name = name or _only_parked(_status(built, profile), profile)
        _refuse_unknown(built, [name])
        position = _decisions(built).skip(profile.id, name, reason=reason.strip(), by=ACTOR)
    print(f"{name} of {profile.subdomain} goes on without the event at position {position}.")


def _only_parked(found: Sequence["ProjectionStatus"], profile: "TenantProfile") -> str:
    parked = [each.projection for each in found if each.parked_at is not None]
    if not parked:
        raise CommandFailed(f"No projection of {profile.subdomain} is parked.")
    if len(parked) > 1:
        raise WrongUsage(f"Several projections of {profile.subdomain} are parked, so name one: {', '.join(parked)}.")
    return parked[0]


def _refuse_unknown(built: "Application", names: Sequence[str]) -> None:
    known = [name for group in built.engine.groups.values() for name in group.names]
    if unknown := [name for name in names if name not in known]:
        raise WrongUsage(f"There is no projection '{unknown[0]}', but: {', '.join(known)}.")


def _decisions(built: "Application") -> "Decisions":
    from projections.decisions import Decisions

    return Decisions(built.engine, lambda group, tenant: built.announcements.wake([(group, tenant)]))


def _status(built: "Application", profile: "TenantProfile") -> list["ProjectionStatus"]:
    from projections.status import status

    return status(built.database, built.engine.groups.values(), profile.id)


def _tenants(built: "Application", tenant: str | None) -> Iterator["TenantProfile"]:
    """One tenant, or the platform and all of its tenants."""
    from api.commandline.context import find

    if tenant is not None:
        yield find(built.tenancy, tenant)
        return
    yield find(built.tenancy, "platform")
    yield from built.tenancy.all()
