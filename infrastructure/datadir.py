"""The data directory of a system on one machine: whose it is, its secrets, and the settings that find it again."""

import base64
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from infrastructure.embedded.directory import DirectoryInUse, DirectoryLock

SETTINGS_FILE = "clientforge.env"
DEFAULT = Path(".clientforge")

OPTIONAL_STORES = ("ELASTICSEARCH_URL", "ELASTICSEARCH_PREFIX", "MONGODB_URL")
"""What a settings file leaves out where the system goes without it."""

_HEADER = """\
# The settings of the system in this directory, written by `clientforge up` at each start.
# MASTER_KEY opens all personal data in it: without this file, that data is lost. Back it up apart from the rest.
"""
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+=,-]*")


class NoSettings(Exception):
    """A directory holds no settings of a system."""


class SecretsLost(Exception):
    """A directory holds a database, but no longer the keys to what is in it."""


class DataDirectory:
    """One system's directory; whoever starts the system holds its lock."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.settings_file = self.path / SETTINGS_FILE
        self._lock = DirectoryLock(self.path)

    def acquire(self) -> None:
        """Makes the directory if it is missing, and takes its lock. Raises DirectoryInUse."""
        # Others may pass through, for a server that runs under an account of its own; they can't look around.
        self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except DirectoryInUse:
            raise DirectoryInUse(f"A system is running already in {self.path}.") from None

    def release(self) -> None:
        """Gives the lock back."""
        self._lock.release()

    @property
    def postgres(self) -> Path:
        """Where the embedded PostgreSQL keeps its files."""
        return self.path / "postgres"

    @property
    def redis(self) -> Path:
        """Where the embedded Redis keeps its files."""
        return self.path / "redis"

    @property
    def logs(self) -> Path:
        """Where the log of each process is kept, the newest lines in `NAME.log`."""
        return self.path / "logs"

    @property
    def counts(self) -> Path:
        """Where the processes of one run count together."""
        return self.path / "counts"

    @property
    def files(self) -> Path:
        """Where the bytes of attached files are, unless FILES_DIR says otherwise."""
        return self.path / "files"

    def settings(self) -> dict[str, str]:
        """What the settings file holds. Raises NoSettings without one."""
        if not self.settings_file.is_file():
            raise NoSettings(
                f"{self.path} holds no {SETTINGS_FILE}: there is no system in it. "
                f"`clientforge up --data-dir {self.path}` makes one."
            )
        values = dotenv_values(self.settings_file, interpolate=False, encoding="utf-8")
        return {name: value for name, value in values.items() if value is not None}

    def write_settings(self, values: Mapping[str, str]) -> None:
        """Replaces the settings file (mode 600) in one step."""
        lines = [f"{name}={_quoted(value)}\n" for name, value in values.items()]
        unfinished = self.settings_file.with_name(f".{SETTINGS_FILE}.{os.getpid()}")
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(_HEADER + "".join(lines))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self.settings_file)

    def secrets(self) -> dict[str, str]:
        """JWT_SECRET and MASTER_KEY of this system: made, and on disk, before anything depends on them.

        Raises SecretsLost where a database is there without them.
        """
        try:
            known = self.settings()
        except NoSettings:
            known = {}
        if "MASTER_KEY" not in known and (self.postgres / "PG_VERSION").exists():
            raise SecretsLost(
                f"{self.postgres} holds a database, but {self.settings_file} with its MASTER_KEY is gone. "
                "Restore that file from a backup: without it, no personal data can be read."
            )
        if not {"JWT_SECRET", "MASTER_KEY"} <= known.keys():
            known.setdefault("JWT_SECRET", secrets.token_urlsafe(48))
            known.setdefault("MASTER_KEY", base64.b64encode(secrets.token_bytes(32)).decode())
            self.write_settings(known)
        return known


def password_in(url: str | None) -> str:
    """The password in a URL, or a new one."""
    return (url and urlsplit(url).password) or secrets.token_urlsafe(24)


def port_in(url: str | None) -> int | None:
    """The port in a URL, None without one."""
    return urlsplit(url).port if url else None


def _quoted(value: str) -> str:
    """A value as .env files and shells both read it."""
    if "\n" in value:
        raise ValueError("a setting can't hold a line break")
    if _PLAIN.fullmatch(value):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
