"""`clientforge backup restore`: from a backup and its keys to a database, or to a whole system on one machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commandline.backing_up import Name
from api.commandline.failures import CommandFailed, WrongUsage
from api.commandline.options import DataDir
from api.commandline.signals import end_in_order

if TYPE_CHECKING:
    from infrastructure.datadir import DataDirectory


def restore_command(
    name: Name = None,
    into: Annotated[
        Path | None,
        typer.Option(
            "--into",
            metavar="DIR",
            show_default=False,
            help="Make a system for `clientforge up` in DIR, which holds only a clientforge.env with the MASTER_KEY.",
        ),
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make the read models, search and audit at once, too.")
    ] = False,
    without_files: Annotated[bool, typer.Option("--without-files", help="Leave files where they are.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Restore a backup into an empty database, and its files into an empty FILES_DIR: all of it, or nothing.

    The database (DATABASE_OWNER_URL) has its roles, and no rows. Whoever was erased after the backup stays erased:
    keys come from the newest backup of keys that holds all of its. docs/backup.md goes through all steps.
    """
    end_in_order()
    if into is None:
        wrong = _restore(name, data_dir, rebuild=rebuild, with_files=not without_files)
    else:
        with _new_system(into) as place:
            wrong = _restore(name, place, rebuild=rebuild, with_files=not without_files, new_system=True)
        print(f"Next: clientforge up --data-dir {into}", flush=True)
    if wrong:
        raise CommandFailed("\n".join(("It was restored, but:", *wrong)))


def erase_again_command(data_dir: DataDir = None) -> None:
    """Erase again whom a recovery to a point in time has brought back: all whom any backup of keys has erased.

    Read models, search and the audit trail are to be made anew afterwards, for they were made with those keys.
    """
    from api.commandline.context import application, settings
    from api.commandline.shelves import explained, part_by_part, reader, shelves
    from infrastructure.backups.erasures import erase_again
    from infrastructure.backups.reading import Nowhere

    found = settings(data_dir)
    _, keys = shelves(found)
    with explained(), application(data_dir) as built:
        newest = keys.find(None)
        with part_by_part("Reading keys") as tell:
            reading = reader(found, tell)
            erased = {
                each
                for backup in keys.backups()
                for each in reading.keys(backup, keys.manifest(backup), Nowhere()).erased
            }
        number = erase_again(built.database, erased)
    print(f"Erased {number:,} of {len(erased):,} again, by the keys up to {newest.name}.")
    if number:
        print("Next: clientforge projections rebuild")


def _restore(
    name: str | None, data_dir: Path | None, *, rebuild: bool, with_files: bool, new_system: bool = False
) -> list[str]:
    """Restores; what is wrong with what is there now. A new system goes as a whole when a part of this fails."""
    from api.commandline.context import application, settings
    from api.commandline.shelves import explained, part_by_part, reader, roles, shelves
    from api.commandline.telling_backups import files_told
    from infrastructure.backups.filling import fill, stopped
    from infrastructure.backups.placing import placed
    from infrastructure.backups.reading import choose
    from infrastructure.backups.restoring import restore

    found = settings(data_dir)
    data, keys = shelves(found)
    asked = roles(found)
    with explained(), application(data_dir) as built:
        chosen = choose(data, keys, name)
        manifest = chosen.data_manifest
        files = found.files_dir if with_files and manifest.files is not None else None
        groups = tuple(built.engine.groups.values())
        with placed(files, gone_with_database=new_system) as place:
            with part_by_part("Restoring") as tell:
                restored = restore(asked.owner, chosen, reader(found, tell), place, groups)
            told = files_told(restored.found.written_files if files else None)
            print(
                f"Restored {manifest.events:,} events of {len(manifest.heads):,} tenants of"
                f" {manifest.taken_at:%F %T %Z}, {told}; keys of {chosen.keys.name}",
                flush=True,
            )
            if not rebuild:
                print("Workers make the read models, search and the audit trail from the log when they start.")
                return restored.found.lost
            fill(built.engine, manifest.heads)
            standing = list(stopped(built.database, manifest.heads))
        if not standing:
            print("Made the read models, search and the audit trail.")
        return [*restored.found.lost, *standing]


@contextmanager
def _new_system(into: Path) -> Iterator[Path]:
    """A data directory with a running database without tables; what fails leaves the directory as it was."""
    from infrastructure.datadir import SETTINGS_FILE, DataDirectory
    from infrastructure.onemachine import bare_database

    place = DataDirectory(into)
    place.acquire()
    try:
        known = place.settings() if place.settings_file.is_file() else {}
        if "MASTER_KEY" not in known:
            raise WrongUsage(f"{into}/{SETTINGS_FILE} must hold the lost system's MASTER_KEY, and its JWT_SECRET.")
        if (place.postgres / "PG_VERSION").exists():
            raise WrongUsage(f"{into} holds a database already.")
        with _settings_kept(place, known), bare_database(place) as urls:
            place.write_settings({**place.secrets(), **urls, "FILES_DIR": str(place.files)})
            yield place.path
    finally:
        place.release()


@contextmanager
def _settings_kept(place: "DataDirectory", known: dict[str, str]) -> Iterator[None]:
    """Puts the settings back where what follows fails."""
    try:
        yield
    except BaseException:
        place.write_settings(known)
        raise
