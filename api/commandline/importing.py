"""`clientforge import`: records out of a CSV file, as a mapping file says."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commandline.failures import WrongUsage
from api.commandline.options import DataDir, OneTenant

if TYPE_CHECKING:
    from application.importing.mapping import ImportMap
    from application.importing.reading import CsvFile
    from application.importing.report import Report
    from application.ports import Announcements, EventStore
    from application.tenancy import TenantProfile
    from infrastructure.bootstrap import Application


class Records(StrEnum):
    """What can be imported."""

    ACCOUNTS = "accounts"
    CONTACTS = "contacts"
    PRODUCTS = "products"
    USERS = "users"
    DEALS = "deals"


def import_command(
    records: Annotated[Records, typer.Argument(help="What the file holds.")],
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE.csv", exists=True, dir_okay=False, readable=True, help="A CSV file in UTF-8."),
    ],
    map: Annotated[
        Path,
        typer.Option(
            "--map",
            metavar="MAP.toml",
            exists=True,
            dir_okay=False,
            readable=True,
            help="Which column is which field, and how its texts are read.",
        ),
    ],
    tenant: OneTenant = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing: say per row and column what is wrong.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            show_default=False,
            help="Write the counts and every reason there (JSON if it is called so, else text),"
            " and rejected rows beside it as FILE.rejected.csv.",
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Import records from a CSV file. docs/import.md explains the map; docs/samples has examples.

    Good rows go in, hundreds at a time; rejected ones are named with their reasons, and the exit code is 1. Importing
    a file again writes only what has changed in it since: repeat an import that was stopped, or one whose rejected
    rows you have mended.
    """
    from api.commandline import context
    from application.importing.problems import FileUnreadable, MapRefused
    from application.importing.telling import told

    _check_report(report, (file, map))
    try:
        with (
            _opened(records, map, file) as (mapped, csv),
            context.application(data_dir) as built,
            _reported(records, csv, context.tenant(built, tenant), dry_run, report) as (told_to, profile),
        ):
            _run(built, profile, records, mapped, csv, told_to, dry_run=dry_run)
            for line in told(told_to, rows=report is None):
                print(line)
            failed = told_to.counts["rejected"] > 0
    except MapRefused as error:
        raise WrongUsage(f"The map {map} can't be used:\n  " + str(error).replace("\n", "\n  ")) from error
    except FileUnreadable as error:
        raise WrongUsage(str(error)) from error
    if failed:
        raise typer.Exit(1)


def _check_report(report: Path | None, read: tuple[Path, ...]) -> None:
    """Refuses a report that can't be written, or would be written over what is read."""
    if report is None:
        return
    if not report.absolute().parent.is_dir():
        raise WrongUsage(f"There is no directory {report.absolute().parent} to write the report to.")
    for path in (report, _beside(report)):
        if path is not None and path.resolve() in (each.resolve() for each in read):
            raise WrongUsage(f"The report would be written over {path}: give it another name.")


@contextmanager
def _opened(records: Records, map: Path, file: Path) -> "Iterator[tuple[ImportMap, CsvFile]]":
    from application.importing.catalogue import KINDS
    from application.importing.opening import opened

    mapped, csv = opened(KINDS[records], map.read_bytes(), file)
    with csv:
        yield mapped, csv


@contextmanager
def _reported(
    records: Records, csv: "CsvFile", tenant: "TenantProfile", dry_run: bool, path: Path | None
) -> "Iterator[tuple[Report, TenantProfile]]":
    """A report; it is written as far as it goes, also when the import is stopped."""
    from application.importing.report import Report
    from application.importing.telling import write_report

    about = {"file": str(csv.path), "records": records.value, "tenant": tenant.subdomain, "dry_run": dry_run}
    report = Report(about, csv.header, csv.delimiter, _beside(path))
    try:
        yield report, tenant
    finally:
        if path is not None:
            write_report(report, path)
        report.close()


def _beside(report: Path | None) -> Path | None:
    """Where the rejected rows of a report go: `out.json` has them in `out.rejected.csv`."""
    if report is None:
        return None
    stem = report.stem if report.suffix.lower() in (".json", ".txt") else report.name
    return report.with_name(f"{stem}.rejected.csv")


def _run(
    built: "Application",
    tenant: "TenantProfile",
    records: Records,
    map: "ImportMap",
    csv: "CsvFile",
    report: "Report",
    *,
    dry_run: bool,
) -> None:
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    from uuid_utils.compat import uuid7

    from api.commandline.progress import progress
    from application.importing.catalogue import KINDS
    from application.importing.planning import plan
    from application.importing.results import Job
    from application.importing.running import Import
    from infrastructure.scratch import Scratch

    fitted = plan(KINDS[records], map, csv.header, ZoneInfo(tenant.time_zone))
    label = f"{'Checking' if dry_run else 'Importing'} {records}"
    with _stores(built, dry_run) as (store, announcements), Scratch() as scratch, progress(label, "kB") as tell:
        job = Job(
            store=store,
            tenant=tenant.id,
            plan=fitted,
            run=uuid7(),
            clock=lambda: datetime.now(UTC),
            new_id=uuid7,
        )
        done = Import(
            job,
            announcements,
            scratch,
            report,
            progress=lambda: tell(-(-csv.position // 1000), -(-csv.size // 1000)),
        )
        done.run(csv.records())


@contextmanager
def _stores(built: "Application", dry_run: bool) -> "Iterator[tuple[EventStore, Announcements]]":
    """Where the import writes to: what forgets it again, for a dry run."""
    from infrastructure.rehearsal import Rehearsal, Silence

    if not dry_run:
        yield built.store, built.announcements
        return
    with Rehearsal(built.store) as rehearsal:
        yield rehearsal, Silence()
