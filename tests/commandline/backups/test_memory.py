"""Backups need the same memory for any number of events."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from uuid_utils.compat import uuid7

from domain.deals.events import DealEdited
from tests.commandline.backups.conftest import named
from tests.infrastructure.appends import a_stream, append, change

EVENTS, AT_ONCE = 200_000, 2_000
MOST_MORE = 40_000
"""Kilobytes. The log has above 100,000."""

MEASURED = """
import atexit, resource, sys
from api.commandline import main
atexit.register(lambda: print("KB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
sys.argv = ["clientforge", *sys.argv[1:]]
main()
"""


def kilobytes(environment: dict[str, str], *command: str) -> int:
    """The most memory that a command had."""
    ran = subprocess.run(
        [sys.executable, "-c", MEASURED, *command], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return int(ran.stdout.split("KB ")[1])


@pytest.mark.timeout(400)
def test_memory_does_not_grow_with_the_log(built, environment, empty_urls, bare_urls):
    commands = {"create": environment, "verify": environment}
    tenant = uuid7()
    built.store.append(tenant, append(change(a_stream())))
    few = {name: kilobytes(chosen, "backup", name) for name, chosen in commands.items()}
    few["restore"] = kilobytes({**environment, **named(bare_urls)}, "backup", "restore")

    events = tuple(DealEdited(name=os.urandom(100).hex()) for _ in range(AT_ONCE))
    for _ in range(EVENTS // AT_ONCE):
        built.store.append(tenant, append(change(a_stream(), 0, *events)))
    many = {name: kilobytes(chosen, "backup", name) for name, chosen in commands.items()}
    many["restore"] = kilobytes({**environment, **named(empty_urls)}, "backup", "restore")

    newest = max(Path(environment["BACKUP_DIR"]).glob("*Z"))
    assert (newest / "events.copy.gz.age").stat().st_size > 10_000_000
    assert all(many[name] < few[name] + MOST_MORE for name in many), (few, many)
