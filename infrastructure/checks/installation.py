"""The settings and the files that the processes are started with."""

from collections.abc import Sequence
from pathlib import Path

from infrastructure.findings import Finding, failure, ok, warning
from infrastructure.hardening import weaknesses
from infrastructure.security_scan import ROOT, SOURCES
from infrastructure.settings import Settings

_ENVIRONMENT, _FILES = "environment", "file structure"
_NEEDED = (
    *(f"{package}/__init__.py" for package in SOURCES),
    "api/page/page.css",
    "api/page/page.js",
    "infrastructure/migrations/0001-event-log.sql",
)


def environment(settings: Settings) -> list[Finding]:
    """What is set is valid; whether production would start with it."""
    todo = "change it before production, which refuses to start with it"
    weak = [warning(_ENVIRONMENT, each, todo) for each in weaknesses(settings)]
    return weak or [ok(_ENVIRONMENT, f"the settings are valid, and strong enough for production ({_mode(settings)})")]


def invalid_environment(error: Exception) -> list[Finding]:
    """What is missing or wrong in the settings, a line each."""
    return [failure(_ENVIRONMENT, line, "see .env.example") for line in str(error).splitlines()]


def files(root: Path = ROOT, secrets: Sequence[Path] = ()) -> list[Finding]:
    """The files that processes read beside their code are there, and files with secrets are their owner's alone."""
    missing = [name for name in _NEEDED if not (root / name).is_file()]
    found = [failure(_FILES, f"{name} is missing", "install this release anew") for name in missing]
    found += [
        warning(_FILES, f"{file} can be read by other accounts", f"chmod 600 {file}")
        for file in secrets
        if file.is_file() and file.stat().st_mode & 0o077
    ]
    return found or [ok(_FILES, f"all files are there in {root}")]


def _mode(settings: Settings) -> str:
    return f"ENVIRONMENT={settings.environment}"
