"""`clientforge backup`: what can't be made again is kept elsewhere, sealed, and comes back from there."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commandline.failures import CommandFailed
from api.commandline.options import DataDir

if TYPE_CHECKING:
    from infrastructure.backups.retention import Keep
    from infrastructure.settings import Settings

Name = Annotated[
    str | None,
    typer.Argument(metavar="[NAME]", show_default=False, help="A backup, by its name in the list; else the newest."),
]


def create_command(
    keep: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", show_default=False, help="Keep the N newest instead of what BACKUP_KEEP_… say."
        ),
    ] = None,
    without_files: Annotated[
        bool, typer.Option("--without-files", help="Leave out the bytes of files: they are kept in another way.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Take a backup, and remove older ones that need not be kept.

    It shows one moment of all tenants, while they work on. Only those whose public keys are in BACKUP_RECIPIENTS can
    open it. What is made from the log (read models, search, audit) is not in it.
    """
    from api.commandline.context import settings
    from api.commandline.shelves import noted, part_by_part, roles, shelves
    from api.commandline.telling_backups import files_told, megabytes
    from infrastructure.backups.retention import Keep
    from infrastructure.backups.sealing import recipients
    from infrastructure.backups.subjects import thin_out_keys
    from infrastructure.backups.taking import Order, take

    found = settings(data_dir)
    data, keys = shelves(found)
    asked = roles(found)
    if found.backup_keys_dir is None:
        print(f"Keys lie beside the data, in {keys.root}: BACKUP_KEYS_DIR names a better place.", file=sys.stderr)
    with noted(found, "backup"):
        files = None if without_files else found.files_dir
        order = Order(roles=asked, files=files, recipients=recipients(found.backup_recipients), release=_release())
        with data.held(), keys.held():
            with part_by_part("Backing up") as tell:
                taken = take(order, data, keys, tell)
            wrong = thin_out_keys(keys)
            if taken.missing:
                wrong.append(f"{len(taken.missing):,} files are not in {files}, and so not in the backup")
            # Where something is wrong, an older backup may be the better one.
            gone = [] if wrong else data.thin_out(_keep(found) if keep is None else Keep(newest=keep))
        sizes = f"{taken.data.events:,} events of {len(taken.data.heads):,} tenants, {files_told(taken.data.files)}"
        print(f"Backed up {sizes}: {taken.backup.path} ({megabytes(taken.data.bytes)})", flush=True)
        if gone:
            print(f"Removed {len(gone)} older: {', '.join(each.name for each in gone)}")
        if wrong:
            raise CommandFailed("\n".join((*wrong, "So no older data were removed. docs/backup.md says what to do.")))


def list_command(data_dir: DataDir = None) -> None:
    """List the backups, the newest first."""
    from api.commandline.context import settings
    from api.commandline.shelves import shelves
    from api.commandline.telling_backups import line

    data, keys = shelves(settings(data_dir))
    backups = data.backups()
    if not backups:
        print(f"No backup in {data.root}.")
        return
    print(f"{'name':<24}{'age':>10}{'size':>12}{'events':>14}{'files':>10}  verified")
    for each in backups:
        print(line(data, each))
    newest = keys.backups()[:1]
    print(f"Keys: {f'of {newest[0].name}' if newest else 'NONE'}, in {keys.root}")


def verify_command(name: Name = None, data_dir: DataDir = None) -> None:
    """Check a backup from end to end, without a database: exit code 1 when anything is wrong.

    Every byte, every row, the hash chain of every log up to where it ended, that each key opens under MASTER_KEY, and
    that neither keys nor files are missing. It needs the private key (BACKUP_IDENTITY_FILE).
    """
    from api.commandline.context import settings
    from api.commandline.shelves import explained, part_by_part, reader, shelves
    from api.commandline.telling_backups import files_told
    from infrastructure.backups.flaws import BackupBroken
    from infrastructure.backups.reading import Nowhere, choose

    found = settings(data_dir)
    data, keys = shelves(found)
    with explained(), part_by_part("Verifying") as tell:
        reading, backup = reader(found, tell), data.find(name)
        try:
            chosen = choose(data, keys, backup.name)
            if lost := reading.read(chosen, Nowhere()).lost:
                raise BackupBroken("; ".join(lost))
        except BackupBroken as broken:
            backup.note(str(broken))
            raise
        backup.note(None)
        chosen.keys.note(None)
    manifest = chosen.data_manifest
    print(
        f"{backup.name}: {manifest.events:,} events of {len(manifest.heads):,} tenants,"
        f" {files_told(manifest.files)}, intact; keys of {chosen.keys.name}"
    )


def keygen_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write the private key; it must not exist.")],
) -> None:
    """Make a pair of keys for backups. Keep the private one away from the servers that are backed up.

    Whoever loses it can open no backup. age-keygen makes the same kind of keys.
    """
    import os

    from infrastructure.backups.sealing import Identity

    identity = Identity.generate()
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise CommandFailed(f"{file}: {error.strerror}.") from None
    with os.fdopen(descriptor, "w") as target:
        target.write(f"# public key: {identity.to_public()}\n{identity}\n")
    print(f"The private key is in {file}.\nBACKUP_RECIPIENTS={identity.to_public()}")


def _keep(settings: "Settings") -> "Keep":
    from infrastructure.backups.retention import Keep

    return Keep(
        newest=settings.backup_keep_newest,
        daily=settings.backup_keep_daily,
        weekly=settings.backup_keep_weekly,
        monthly=settings.backup_keep_monthly,
    )


def _release() -> str:
    from importlib.metadata import version

    return version("clientforge")
