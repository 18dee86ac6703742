"""A process that attaches or erases a file, and is killed at a step of it."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from application.filing import Filing
from application.handling import Handler, Sender
from application.tenancy import OPERATOR
from domain.files.commands import AttachFile, EraseFile
from domain.files.events import Host
from infrastructure.bootstrap import build
from infrastructure.file_bytes import ArrivingFile, FilesDirectory
from infrastructure.settings import Settings
from infrastructure.storage_ledger import PostgresLedger

STEPS: dict[str, tuple[type, str, bool]] = {
    "before it is on disk": (ArrivingFile, "finish", False),
    "before it is counted": (PostgresLedger, "reserve", False),
    "before it is in the log": (Handler, "handle", False),
    "after it is in the log": (Handler, "handle", True),
    "after it is kept": (ArrivingFile, "keep", True),
    "before its key is destroyed": (Filing, "_forget", False),
    "before its bytes are": (FilesDirectory, "remove", False),
    "after its bytes are": (FilesDirectory, "remove", True),
}
"""Where the process ends: at which method, before or after it has done its work."""


def die_at(owner: type, name: str, after: bool) -> None:
    """Has the process killed at a method."""
    real: Callable[..., Any] = getattr(owner, name)

    def fatal(*arguments: Any, **named: Any) -> None:
        if after:
            real(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, fatal)


def main(step: str, tenant: str, what: str, id: str) -> None:
    """Attaches a file to the account of that id, or erases the file of that id."""
    application = build(Settings.load(_env_file=None))
    sender = Sender(tenant=UUID(tenant), actor="cli", permissions=OPERATOR, correlation=uuid7())
    die_at(*STEPS[step])
    if what == "erase":
        application.filing.erase(sender, "file", UUID(id), EraseFile())
        return
    pending = application.filing.begin(sender, Host.ACCOUNT, UUID(id), 3, None)
    pending.write(b"abc")
    command = AttachFile(
        name="a.txt", entity=Host.ACCOUNT, record=UUID(id), media_type="text/plain", size=3, sha256=pending.finish()
    )
    application.filing.attach(pending, None, sender, "file", pending.id, command)


if __name__ == "__main__":
    main(*sys.argv[1:])
