"""`clientforge events replay`: the log told again, for people or for programs."""

import sys
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from api.commandline.options import DataDir, OneTenant

if TYPE_CHECKING:
    from application.tenancy import TenantProfile
    from infrastructure.bootstrap import Application
    from projections.audit.trail import AuditEntry

_LARGEST = 2**63 - 1


class Format(StrEnum):
    """How a replay is written."""

    TEXT = "text"
    NDJSON = "ndjson"


def replay_command(
    tenant: OneTenant = None,
    stream: Annotated[
        str | None, typer.Option(metavar="S", help="Only this record, such as deal-0192f1c0-…", show_default=False)
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="POSITION|INSTANT",
            show_default=False,
            help="Up to this position, or what was recorded up to this time: 2026-07-01T12:00:00Z, or a date, which "
            "means the end of that day where the tenant is.",
        ),
    ] = None,
    format: Annotated[
        Format, typer.Option(help="text for people, ndjson (an object per line) for programs.")
    ] = Format.TEXT,
    data_dir: DataDir = None,
) -> None:
    """Tell what happened, event by event: who, when, and every changed field before and after.

    All of it is made from the log alone. Personal data is opened; where it was erased, it says so.
    """
    from api.commandline.context import application
    from api.commandline.context import tenant as tenant_named
    from projections.replaying import replay

    with application(data_dir) as built:
        found = tenant_named(built, tenant)
        position = None if until is None else _position(built, found, until)
        told = False
        for entry in replay(built.store, found.id, stream=_checked(stream), until=position):
            _write(entry, format)
            told = True
    if stream is not None and not told:
        from api.commandline.failures import CommandFailed

        raise CommandFailed(f"{found.subdomain} has no events of {stream}{' up to then' if until else ''}.")


def _checked(stream: str | None) -> str | None:
    from api.commandline.failures import WrongUsage
    from application.catalogue import ENTITIES, JOURNALS
    from application.recording import stream_subject

    if stream is None:
        return None
    try:
        entity, _ = stream_subject(stream)
    except ValueError:
        entity = ""
    if entity not in {*ENTITIES, *JOURNALS}:
        kinds = ", ".join(sorted([*ENTITIES, *JOURNALS]))
        raise WrongUsage(f"'{stream}' names no record: that would be its kind ({kinds}), a hyphen and its id.")
    return stream


def _position(built: "Application", tenant: "TenantProfile", until: str) -> int:
    """A position as it stands, or the last one recorded up to an instant."""
    if until.isdecimal():
        return min(int(until), _LARGEST)
    return built.store.position_at(tenant.id, instant_of(until, tenant.time_zone))


def instant_of(text: str, time_zone: str) -> datetime:
    """An instant, or the end of a day; without an offset it is the tenant's time. Raises WrongUsage."""
    from zoneinfo import ZoneInfo

    from api.commandline.failures import WrongUsage

    zone = ZoneInfo(time_zone)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        pass
    else:
        return datetime.combine(day + timedelta(days=1), time(), zone) - timedelta(microseconds=1)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise WrongUsage(f"'{text}' is neither a position nor a time such as 2026-07-01T12:00:00Z.") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=zone)


def _write(entry: "AuditEntry", format: Format) -> None:
    import msgspec

    from api.commandline.retelling import told

    if format is Format.NDJSON:
        # Every line has every field: programs need not know which may be left out.
        sys.stdout.write(msgspec.json.encode(msgspec.structs.asdict(entry)).decode() + "\n")
    else:
        sys.stdout.write(told(entry) + "\n\n")
