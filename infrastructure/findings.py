"""What checks find: the lines of the tables that `security scan`, `verify services` and `deploy verify` print."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct


class Result(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class Finding(Struct, frozen=True, kw_only=True):
    """A line of the table: what was looked at, how it came out, what was found, and what to do."""

    check: str
    result: Result
    found: str
    todo: str = ""


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check=check, result=Result.OK, found=found)


def warning(check: str, found: str, todo: str = "") -> Finding:
    """Somebody should look at it."""
    return Finding(check=check, result=Result.WARNING, found=found, todo=todo)


def failure(check: str, found: str, todo: str = "") -> Finding:
    """It must be mended."""
    return Finding(check=check, result=Result.FAILED, found=found, todo=todo)


def skipped(check: str, why: str) -> Finding:
    """It couldn't be looked at."""
    return Finding(check=check, result=Result.SKIPPED, found=why)


def failed(findings: Iterable[Finding]) -> bool:
    """Whether anything must be mended."""
    return any(each.result is Result.FAILED for each in findings)


def as_rows(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """The table as it is told to programs."""
    return [{"check": each.check, "result": each.result, "found": each.found, "todo": each.todo} for each in findings]
