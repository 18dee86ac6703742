"""Where a system's backups are, by its settings, and what becomes of them is noted for those who look after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from api.commandline.failures import CommandFailed, WrongUsage

if TYPE_CHECKING:
    from infrastructure.backups.reading import Reader
    from infrastructure.backups.shelf import Shelf
    from infrastructure.backups.snapshot import Roles
    from infrastructure.settings import Settings
    from infrastructure.upkeep import Task


def shelves(settings: "Settings") -> "tuple[Shelf, Shelf]":
    """The shelf of data, and that of keys. Raises WrongUsage."""
    from infrastructure.backups.manifest import Signer
    from infrastructure.backups.shelf import Shelf

    if settings.backup_dir is None:
        raise WrongUsage("BACKUP_DIR must say where backups are kept.")
    signer = Signer(settings.master_key_bytes)
    keys = settings.backup_keys_dir or settings.backup_dir / "keys"
    return Shelf(settings.backup_dir, "data", signer), Shelf(keys, "keys", signer)


def roles(settings: "Settings") -> "Roles":
    """The database's three roles. Raises WrongUsage where one is not named."""
    from infrastructure.backups.snapshot import Roles

    if settings.database_owner_url is None or settings.database_monitor_url is None:
        raise WrongUsage("Backups need DATABASE_OWNER_URL and DATABASE_MONITOR_URL besides DATABASE_URL.")
    return Roles(
        app=settings.database_url.get_secret_value(),
        monitor=settings.database_monitor_url.get_secret_value(),
        owner=settings.database_owner_url.get_secret_value(),
    )


class TellPart(Protocol):
    """Tells how many rows of which part are done."""

    def __call__(self, part: str, rows: int) -> object: ...


def reader(settings: "Settings", tell: TellPart) -> "Reader":
    """What reads backups with the key that the settings name. Raises BackupRefused without one."""
    from infrastructure.backups.reading import Reader
    from infrastructure.backups.sealing import identities
    from infrastructure.keys import Wrapping

    identity = settings.backup_identity
    opening = identities(None if identity is None else identity.get_secret_value())
    return Reader(opening, Wrapping(settings.master_key_bytes), tell)


@contextmanager
def part_by_part(label: str) -> Iterator[TellPart]:
    """Shows how far a backup is: rows, of whatever tables."""
    from api.commandline.progress import progress

    with progress(label, "rows") as tell:
        before: dict[str, int] = {}

        def told(part: str, rows: int) -> None:
            before[part] = rows
            tell(sum(before.values()), None)

        yield told


@contextmanager
def noted(settings: "Settings", task: "Task") -> Iterator[None]:
    """Notes whether a task went well: what alerts ask. That somebody else is at it is no failure."""
    from infrastructure.embedded.directory import DirectoryInUse

    try:
        with explained():
            yield
    except DirectoryInUse:
        raise
    except BaseException:
        _note(settings, task, well=False)
        raise
    _note(settings, task, well=True)


@contextmanager
def explained() -> Iterator[None]:
    """Says what is wrong with a backup, or with what was asked for, in a sentence."""
    from infrastructure.backups.flaws import BackupBroken, BackupRefused

    try:
        yield
    except BackupBroken as error:
        raise CommandFailed(f"The backup is BROKEN: {error}.") from error
    except BackupRefused as error:
        raise CommandFailed(str(error)) from error
    except OSError as error:
        raise CommandFailed(f"{error.filename or 'The backup'}: {error.strerror or error}.") from error


def _note(settings: "Settings", task: "Task", *, well: bool) -> None:
    import sys

    import redis

    from infrastructure.redis import connect_briefly
    from infrastructure.upkeep import Upkeep

    client = connect_briefly(settings.redis_url.get_secret_value())
    try:
        Upkeep(client, prefix=settings.redis_prefix).note(task, well=well)
    except redis.RedisError:
        print("clientforge: Redis is away, so no metric tells of this.", file=sys.stderr)
    finally:
        client.close()
