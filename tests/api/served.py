"""`clientforge serve` as processes of its own, over the stores of the tests' own API."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from infrastructure.embedded.child import free_port
from infrastructure.settings import Settings
from tests.commandline.conftest import without_settings
from tests.fixtures import WIDE_LIMITS


@dataclass
class Served:
    """A running server."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def workers(self) -> list[psutil.Process]:
        """Its processes that answer requests."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
                if "spawn_main" in " ".join(child.cmdline()):
                    found.append(child)
        return found

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)


def variables_of(settings: Settings) -> dict[str, str]:
    """The environment of a process with these settings, as far as they say where things are."""
    secrets = settings.model_dump(include={name for name in Settings.model_fields if "url" in name})
    told = {name.upper(): value.get_secret_value() for name, value in secrets.items() if value is not None}
    return {
        **without_settings(os.environ),
        **told,
        "JWT_SECRET": settings.jwt_secret.get_secret_value(),
        "MASTER_KEY": settings.master_key.get_secret_value(),
        "REDIS_PREFIX": settings.redis_prefix,
        "FILES_DIR": str(settings.files_dir),
        **{name.upper(): limit for name, limit in WIDE_LIMITS.items()},
        "ENVIRONMENT": "test",
    }


@contextmanager
def serving(settings: Settings, place: Path, **others: str) -> Iterator[Served]:
    """A server with these settings, of which `others` are other ones, as variables."""
    port = free_port()
    own = {"PORT": str(port), "API_PROCESSES": "1", "TMPDIR": str(place)}  # whoever is killed leaves things there
    variables = {**variables_of(settings), **own, **others}
    log = place / "log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "api.commandline", "serve"]
        process = subprocess.Popen(command, env=variables, stdout=output, stderr=output, cwd=place)
    try:
        served = Served(process, f"http://127.0.0.1:{port}", log)
        _wait_for(served, int(variables["API_PROCESSES"]))
        yield served
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(served: Served, processes: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and served.process.poll() is None:
        try:
            if httpx.get(f"{served.url}/ready").status_code == 200 and len(served.workers()) == processes:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail(served.log.read_text())
