"""`clientforge db`: the database's tables."""

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
    break_lock: Annotated[
        bool, typer.Option("--break-lock", help="Only after a killed migration, and while no other runs.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Bring the tables up to date, as the role of DATABASE_OWNER_URL. Repeating it changes nothing."""
    from infrastructure.migrate import migrate, pending, text_of

    owner_url = _owner_url(data_dir)
    if dry_run:
        migrations = pending(owner_url)
        for each in migrations:
            print(f"-- {each.id}\n{text_of(each)}")
        print(f"-- {len(migrations)} to apply" if migrations else "-- Nothing to apply: the database is up to date.")
        return
    if break_lock:
        from infrastructure.onemachine import break_migration_lock

        break_migration_lock(owner_url)
    with _explained_lock():
        applied = migrate(owner_url)
    for name in applied:
        print(f"Applied {name}")
    if not applied:
        print("Nothing to apply: the database is up to date.")


@contextmanager
def _explained_lock() -> Iterator[None]:
    from yoyo.exceptions import LockTimeout

    try:
        yield
    except LockTimeout:
        raise CommandFailed(
            "Another process migrates this database, or was killed while it did. If none does, use --break-lock."
        ) from None


def _owner_url(data_dir: "Path | None") -> str:
    from api.commandline.context import settings

    url = settings(data_dir).database_owner_url
    if url is None:
        raise WrongUsage("Migrations need DATABASE_OWNER_URL, the role that owns the tables.")
    return url.get_secret_value()
