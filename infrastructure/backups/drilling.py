"""Rehearses a recovery: restores a backup aside, builds its read models, and compares both with the source."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from uuid import UUID

from msgspec import Struct

from infrastructure.backups.comparing import Loss, compare
from infrastructure.backups.filling import fill, stopped
from infrastructure.backups.manifest import Manifest
from infrastructure.backups.reading import Reader, Set
from infrastructure.backups.restoring import restore
from infrastructure.backups.snapshot import Roles, Snapshot, snapshot
from infrastructure.postgres import Database
from infrastructure.verification import verify
from projections.engine import Engine

EngineOver = Callable[[str], AbstractContextManager[Engine]]
"""Makes an engine over a database, whose search and audit are in that database, too."""
Tell = Callable[[str], object]


class Drilled(Struct, frozen=True, kw_only=True):
    """What a drill came to. Seconds are of the restore and of building the read models; `compared` counts the
    comparisons: events per tenant, and read models whose size was known when the backup was taken."""

    events: int
    tenants: int
    restore_seconds: float
    build_seconds: float
    compared: int
    differences: list[str]
    loss: Loss

    @property
    def seconds(self) -> float:
        """From nothing to a system that can answer."""
        return self.restore_seconds + self.build_seconds


def drill(chosen: Set, reader: Reader, source: Roles, aside: Roles, engine_over: EngineOver, tell: Tell) -> Drilled:
    """Restores into the database `aside`. Raises BackupRefused, BackupBroken, StoreAway, psycopg.Error."""
    manifest = chosen.data_manifest
    with engine_over(aside.app) as engine:
        began = time.monotonic()
        tell("Restoring")
        found = restore(aside.owner, chosen, reader, groups=tuple(engine.groups.values())).found
        restored = time.monotonic()
        tell("Building the read models")
        fill(engine, manifest.heads)
        built = time.monotonic()
    tell("Comparing")
    copy = Database(aside.app)
    try:
        differences = [*found.lost, *_broken(copy, manifest), *stopped(copy, manifest.heads)]
    finally:
        copy.close()
    compared, others = _other_sizes(aside, manifest)
    loss, lost = compare(source, manifest)
    return Drilled(
        events=manifest.events,
        tenants=len(manifest.heads),
        restore_seconds=restored - began,
        build_seconds=built - restored,
        compared=compared + len(manifest.heads),
        differences=[*differences, *others, *lost],
        loss=loss,
    )


def _broken(copy: Database, manifest: Manifest) -> Iterator[str]:
    """Restored logs that aren't those of the manifest."""
    for tenant, head in manifest.heads.items():
        found = verify(copy, tenant)
        if found.flaw is not None:
            yield f"{tenant}: the restored log is broken at {found.flaw.position}: {found.flaw.reason}"
        elif (found.head, found.link.hex()) != (head.position, head.link):
            yield f"{tenant}: the restored log ends at {found.head} instead of {head.position}"


def _other_sizes(aside: Roles, manifest: Manifest) -> tuple[int, list[str]]:
    """How many read models have a known size, and those that have another one when they are built again. What stopped
    before the end of the log has none."""
    with snapshot(aside) as seen:
        found = {tenant: _sizes(seen, tenant) for tenant in manifest.read_models}
    pairs = [
        (tenant, name, size, found[tenant][name])
        for tenant, sizes in manifest.read_models.items()
        for name, size in sizes.items()
        if name in found[tenant]
    ]
    return len(pairs), [
        f"{tenant}: {name} has {now} rows instead of {size}" for tenant, name, size, now in pairs if now != size
    ]


def _sizes(seen: Snapshot, tenant: UUID) -> Mapping[str, int]:
    return seen.read_models(tenant) if tenant in seen.heads else {}
