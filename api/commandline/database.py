"""`clientforge db`: the database's tables."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from api.commandline.failures import CommandFailed, WrongUsage
from api.commandline.options import DataDir

if TYPE_CHECKING:
    from pathlib import Path


def migrate_command(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the SQL that would be run, and run nothing.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Bring the tables up to date, as the role of DATABASE_OWNER_URL. Repeating it changes nothing, and while another
    process migrates, it waits.
    """
    from infrastructure.migrate import migrate, pending, text_of

    owner_url = _owner_url(data_dir)
    if dry_run:
        migrations = pending(owner_url)
        for each in migrations:
            print(f"-- {each.id}\n{text_of(each)}")
        print(f"-- {len(migrations)} to apply" if migrations else "-- Nothing to apply: the database is up to date.")
        return
    with _explained_lock():
        applied = migrate(owner_url, on_waiting=_say_that_it_waits)
    for name in applied:
        print(f"Applied {name}")
    if not applied:
        print("Nothing to apply: the database is up to date.")


@contextmanager
def _explained_lock() -> Iterator[None]:
    from psycopg.errors import LockNotAvailable

    try:
        yield
    except LockNotAvailable:
        raise CommandFailed(
            "A table was in use for too long, so the migration gave up before it held others up, and changed nothing. "
            "Repeat it when no long query or dump runs."
        ) from None


def _say_that_it_waits() -> None:
    print("Another process migrates this database: waiting for it.", file=sys.stderr, flush=True)


def _owner_url(data_dir: "Path | None") -> str:
    from api.commandline.context import settings

    url = settings(data_dir).database_owner_url
    if url is None:
        raise WrongUsage("Migrations need DATABASE_OWNER_URL, the role that owns the tables.")
    return url.get_secret_value()
