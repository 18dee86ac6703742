"""Backups as people read of them."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infrastructure.backups.shelf import Backup, Shelf


def line(shelf: "Shelf", backup: "Backup") -> str:
    """A backup in the list; one whose manifest is broken says so."""
    from infrastructure.backups.flaws import BackupBroken

    age = _age(backup.taken_at)
    try:
        manifest = shelf.manifest(backup)
    except BackupBroken as broken:
        return f"{backup.name:<24}{age:>10}  BROKEN: {broken}"
    files = "none" if manifest.files is None else f"{manifest.files:,}"
    sizes = f"{megabytes(manifest.bytes):>12}{manifest.events:>14,}{files:>10}"
    return f"{backup.name:<24}{age:>10}{sizes}  {_verdict(backup)}"


def _verdict(backup: "Backup") -> str:
    if backup.verdict is None:
        return "never"
    when = f"{_age(backup.verdict.at)} ago"
    return f"{when}, intact" if backup.verdict.flaw is None else f"{when}, BROKEN: {backup.verdict.flaw}"


def files_told(files: int | None) -> str:
    """How many files there are."""
    return "no files" if files is None else f"{files:,} file{'s' * (files != 1)}"


def megabytes(size: int) -> str:
    """A number of bytes."""
    return f"{size / 1e6:,.1f} MB"


def _age(moment: datetime) -> str:
    minutes = max(0, int((datetime.now(UTC) - moment).total_seconds() // 60))
    for unit, size in (("d", 1440), ("h", 60)):
        if minutes >= 2 * size:
            return f"{minutes // size} {unit}"
    return f"{minutes} min"
