"""The real system: serve, worker and sweeper as processes of their own, over real stores."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from infrastructure.embedded.child import free_port
from infrastructure.monitor import Monitor
from projections.catalogue import groups
from projections.targets import Group
from tests.commandline.conftest import without_settings
from tests.fixtures import JWT_SECRET, MASTER_KEY, WIDE_LIMITS, DatabaseUrls

PROCESSES = ("serve", "worker", "sweeper")
EMAIL, PASSWORD = "admin@clientforge.local", "a password of this test alone"


def environment(urls: DatabaseUrls, redis_url: str, elasticsearch_url: str, mongodb_url: str) -> dict[str, str]:
    """The variables of a system whose keys, indices and documents are its own."""
    own = secrets.token_hex(4)
    return {
        **without_settings(os.environ),
        "DATABASE_URL": urls.app,
        "DATABASE_OWNER_URL": urls.owner,
        "DATABASE_MONITOR_URL": urls.monitor,
        "REDIS_URL": redis_url,
        "REDIS_PREFIX": f"{{{own}}}",
        "ELASTICSEARCH_URL": elasticsearch_url,
        "ELASTICSEARCH_PREFIX": f"journey-{own}",
        "MONGODB_URL": f"{mongodb_url.rstrip('/')}/journey_{own}",
        "JWT_SECRET": JWT_SECRET,
        "MASTER_KEY": MASTER_KEY,
        "PORT": str(free_port()),
        "ENVIRONMENT": "test",
        "LONG_OPERATIONS": "1000",
        **{name.upper(): limit for name, limit in WIDE_LIMITS.items()},
    }


@dataclass
class System:
    """A running system, its command line, and a client that is logged in."""

    variables: Mapping[str, str]
    place: Path
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.variables['PORT']}", timeout=30)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs `clientforge` with these arguments to its end."""
        return subprocess.run(
            [sys.executable, "-m", "api.commandline", *arguments],
            env=dict(self.variables),
            cwd=self.place,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def log_in(self, tenant: str) -> None:
        """Makes the client the admin of a tenant."""
        answer = self.client.post(
            "/api/v1/auth/login", json={"email": EMAIL, "password": PASSWORD, "tenant": tenant}
        ).raise_for_status()
        self.client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def get(self, path: str, **parameters: Any) -> Any:
        """What a query answers; never something stale."""
        answer = self.client.get(f"/api/v1{path}", params=parameters).raise_for_status()
        assert "ClientForge-Stale" not in answer.headers
        return answer.json()

    def all(self, path: str, **parameters: Any) -> list[Any]:
        """The items of every page of a list."""
        items: list[Any] = []
        cursor: dict[str, str] = {}
        while True:
            page = self.get(path, limit=200, **parameters, **cursor)
            items += page["items"]
            if page["next"] is None:
                return items
            cursor = {"cursor": page["next"]}

    def wait_until_projected(self, seconds: float) -> None:
        """Returns when every projection of every tenant has reached the end of its log.

        It asks the database, which costs the processes next to nothing; a command would cost as much as they do.
        """
        monitor = Monitor.open(self.variables["DATABASE_MONITOR_URL"], _groups())
        try:
            deadline = time.monotonic() + seconds
            while behind := [each for each in monitor.lags() if each.tenants]:
                assert time.monotonic() < deadline, behind
                time.sleep(0.05)
        finally:
            monitor.close()


def _groups() -> Sequence[Group]:
    """The groups by their names, over no stores."""
    nothing: Any = None
    return groups(nothing, nothing, nothing)


@contextmanager
def running(variables: Mapping[str, str], place: Path) -> Iterator[System]:
    """Starts the three processes, waits until the API is ready, and ends them in order."""
    system = System(variables, place)
    started: list[subprocess.Popen[bytes]] = []
    try:
        for name in PROCESSES:
            with (place / f"{name}.log").open("wb") as log:
                command = [sys.executable, "-m", "api.commandline", name]
                started.append(subprocess.Popen(command, env=dict(variables), cwd=place, stdout=log, stderr=log))
        _wait_until_ready(system, started)
        yield system
    finally:
        system.client.close()
        for process in started:
            process.terminate()
        for process in started:
            process.wait(30)


def _wait_until_ready(system: System, started: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            if system.client.get("/ready").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
        logs = {path.name: path.read_text()[-2000:] for path in system.place.glob("*.log")}
        assert time.monotonic() < deadline, logs
        assert all(process.poll() is None for process in started), logs
