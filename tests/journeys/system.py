"""The real system: serve, worker and sweeper as processes of their own, over real stores."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from infrastructure.embedded.child import free_port
from infrastructure.monitor import Lag, Monitor
from infrastructure.settings import Settings
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


def settings_of(variables: Mapping[str, str]) -> Settings:
    """The settings that a process with these variables has."""
    names = {name.upper() for name in Settings.model_fields}
    return Settings.load(_env_file=None, **{name.lower(): variables[name] for name in names & variables.keys()})


@dataclass
class System:
    """A running system, its command line, and a client that is logged in."""

    variables: Mapping[str, str]
    place: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
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

    def make_tenant(self, name: str, subdomain: str) -> None:
        """Makes a tenant with any number of users and an admin, as whom the client is logged in then."""
        for command in (
            ("tenant", "create", name, "--subdomain", subdomain, "--max-users", "0"),
            ("seed", "admin", "--tenant", subdomain, "--email", EMAIL, "--password", PASSWORD),
        ):
            done = self.run(*command)
            assert done.returncode == 0, done.stderr
        self.log_in(subdomain)

    def log_in(self, tenant: str) -> None:
        """Makes the client the admin of a tenant."""
        answer = self.client.post(
            "/api/v1/auth/login", json={"email": EMAIL, "password": PASSWORD, "tenant": tenant}
        ).raise_for_status()
        self.client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """What a command answers, which must be accepted."""
        answer = self.client.request(method, f"/api/v1{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def get(self, path: str, **parameters: Any) -> Any:
        """What a query answers; never something stale."""
        answer = self.client.get(f"/api/v1{path}", params=parameters or None).raise_for_status()
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
        self.wait_for_lags(lambda lags: not any(each.tenants for each in lags.values()), seconds)

    def wait_for_lags(self, wanted: Callable[[Mapping[str, Lag]], bool], seconds: float) -> None:
        """Returns when the projections, by their names, are as far behind their logs as is wanted."""
        monitor = Monitor.open(self.variables["DATABASE_MONITOR_URL"], _groups())
        try:
            deadline = time.monotonic() + seconds
            while not wanted(lags := {each.projection: each for each in monitor.lags()}):
                assert time.monotonic() < deadline, [each for each in lags.values() if each.tenants]
                time.sleep(0.05)
        finally:
            monitor.close()

    def memory(self) -> dict[str, float]:
        """How many megabytes each process and its children have resident."""
        sums = dict.fromkeys(self.processes, 0.0)
        for name, process in self.processes.items():
            with suppress(psutil.NoSuchProcess):
                main = psutil.Process(process.pid)
                for each in (main, *main.children(recursive=True)):
                    sums[name] += each.memory_info().rss / 1e6
        return sums

    @contextmanager
    def halted(self, *names: str) -> Iterator[None]:
        """Lets these processes do nothing at all meanwhile."""
        try:
            for name in names:
                self.processes[name].send_signal(signal.SIGSTOP)
            yield
        finally:
            for name in names:
                self.processes[name].send_signal(signal.SIGCONT)

    @contextmanager
    def also_served(self, **variables: str) -> Iterator["System"]:
        """The same system as another API process answers it, with some settings of its own and the same log-in."""
        place = self.place / "another"
        place.mkdir(exist_ok=True)
        with running({**self.variables, "PORT": str(free_port()), **variables}, place, ("serve",)) as other:
            other.client.headers["Authorization"] = self.client.headers["Authorization"]
            yield other


def _groups() -> Sequence[Group]:
    """The groups by their names, over no stores."""
    nothing: Any = None
    return groups(nothing, nothing, nothing)


@contextmanager
def running(variables: Mapping[str, str], place: Path, processes: Sequence[str] = PROCESSES) -> Iterator[System]:
    """Starts the processes, waits until the API is ready, and ends them in order."""
    system = System(variables, place)
    try:
        for name in processes:
            with (place / f"{name}.log").open("wb") as log:
                command = [sys.executable, "-m", "api.commandline", name]
                process = subprocess.Popen(command, env=dict(variables), cwd=place, stdout=log, stderr=log)
            system.processes[name] = process
        _wait_until_ready(system)
        yield system
    finally:
        system.client.close()
        for process in system.processes.values():
            process.terminate()
        for process in system.processes.values():
            process.wait(30)


def _wait_until_ready(system: System) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            if system.client.get("/ready").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
        logs = {path.name: path.read_text()[-2000:] for path in system.place.glob("*.log")}
        assert time.monotonic() < deadline, logs
        assert all(process.poll() is None for process in system.processes.values()), logs
