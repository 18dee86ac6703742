"""`clientforge up`, as a real process: from nothing to a log-in, killed, started again, stopped."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest
from dotenv import dotenv_values

from api.commandline.seeding import PASSWORD
from tests.commandline.conftest import done, refused, without_settings

READY = "ClientForge is running"


class Up:
    """A running `clientforge up`, and what it printed."""

    def __init__(self, place: Path, *arguments: str, **variables: str) -> None:
        self.place = place
        self.log = place.parent / "up.log"
        self.started = time.monotonic()
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                clientforge("up", "--data-dir", str(place), *arguments),
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(**variables),
                cwd=place.parent,
            )

    @property
    def printed(self) -> str:
        return self.log.read_text()

    def ready(self) -> "Up":
        """Waits until it says that it is ready."""
        while READY not in self.printed:
            assert self.process.poll() is None, self.printed
            assert time.monotonic() - self.started < 120, self.printed
            time.sleep(0.05)
        return self

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ends it; its exit code."""
        self.process.send_signal(how)
        return self.process.wait(60)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another command on the same system."""
        return subprocess.run(
            clientforge(*arguments, "--data-dir", str(self.place)),
            capture_output=True,
            text=True,
            env=environment(),
            cwd=self.place.parent,
            check=False,
        )


def clientforge(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "api.commandline", *arguments]


def environment(**variables: str) -> dict[str, str]:
    return {**without_settings(os.environ), **variables}


@pytest.fixture
def place() -> Iterator[Path]:
    """A data directory that the servers' account can reach, which pytest's `tmp_path` isn't for root."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name, "data")


@pytest.fixture
def ups() -> Iterator[list[Up]]:
    """What was started; it ends with the test."""
    started: list[Up] = []
    yield started
    for up in started:
        if up.process.poll() is None:
            up.end()


def paste(printed: str) -> str:
    """Does what the announcement says: pastes its query into a shell."""
    query = re.search(r"( +TOKEN=.*?/analytics/pipeline)\n", printed, re.DOTALL)
    assert query is not None
    return subprocess.run(["bash", "-c", query[1]], capture_output=True, text=True, check=False).stdout


@pytest.mark.timeout(400)
def test_it_starts_from_nothing_survives_a_kill_and_stops_in_order(place, ups):
    ups.append(first := Up(place, "--port", "0").ready())

    assert '"stage":"Lead"' in paste(first.printed)
    assert "CHANGE THE PASSWORD" in first.printed
    settings = dotenv_values(place / "clientforge.env")
    assert (place / "clientforge.env").stat().st_mode & 0o777 == 0o600
    assert len(settings["JWT_SECRET"] or "") >= 32
    assert settings["MAIL_DIRECTORY"] == str(place / "mail")
    assert f"as files in {place / 'mail'}" in first.printed
    assert "main: 4 events, intact" in done(first.run("events", "verify"))
    assert "The queue is healthy" in done(first.run("queue", "health"))

    again = first.run("up")
    assert "running already" in refused(again, 1)

    children = psutil.Process(first.process.pid).children(recursive=True)
    first.end(signal.SIGKILL)
    ups.append(second := Up(place).ready())
    assert '"stage":"Lead"' in paste(second.printed)
    psutil.wait_procs(children, timeout=10)
    assert not [each for each in children if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]

    for name in ("JWT_SECRET", "MASTER_KEY", "PORT", "DEFAULT_TENANT"):
        assert dotenv_values(place / "clientforge.env")[name] == settings[name]
    children = psutil.Process(second.process.pid).children(recursive=True)
    assert second.end(signal.SIGINT) == 0
    assert second.printed.endswith("Stopped.\n")
    # A process whose parent has gone is reaped by the system's first one, in its own time.
    psutil.wait_procs(children, timeout=10)
    assert not [each for each in children if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def test_a_crashed_process_and_a_crashed_server_are_started_again(place, ups):
    ups.append(up := Up(place, "--port", "0").ready())

    for name in ("worker", "serve", "postgres", "redis"):
        _kill(up, name)
    deadline = time.monotonic() + 60
    while up.printed.count("it starts again") < 4 or '"stage":"Lead"' not in paste(up.printed):
        assert time.monotonic() < deadline, up.printed
        time.sleep(0.2)
    while up.run("queue", "health").returncode != 0:
        assert time.monotonic() < deadline, up.printed
    assert "main" in done(up.run("tenant", "list"))


def _kill(up: Up, name: str) -> None:
    """Kills a service by what its command line says."""
    of = {
        "postgres": "postgres -D",
        "redis": "redis-server",
        "worker": "commandline worker",
        "serve": "commandline serve",
    }
    for child in psutil.Process(up.process.pid).children():
        with suppress(psutil.ZombieProcess):
            if of[name] in " ".join(child.cmdline()):
                child.kill()
                return
    raise AssertionError(f"{name} does not run")


def test_a_port_of_another_program_is_said_before_anything_is_made(place):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        ended = subprocess.run(
            clientforge("up", "--data-dir", str(place), "--port", port),
            capture_output=True,
            text=True,
            env=environment(),
            cwd=place.parent,
            check=False,
        )

    assert f"Port {port}" in refused(ended, 1)
    assert not (place / "postgres").exists()


def test_a_first_start_that_was_cut_off_is_made_good(place, ups):
    (place / "postgres").mkdir(parents=True)
    (place / "clientforge.env").write_text(f"JWT_SECRET={'x' * 40}\nMASTER_KEY={'A' * 43}=\n")
    (place / "postgres" / "PG_VERSION").write_text("18")

    ups.append(Up(place, "--port", "0").ready())


def test_in_production_nobody_gets_the_published_password(place, ups):
    ups.append(up := Up(place, "--port", "0", ENVIRONMENT="production", PUBLIC_URL="https://crm.example.com").ready())

    assert "seed admin" in up.printed
    assert "Admin!234" not in up.printed
    assert "main: 1 events, intact" in done(up.run("events", "verify"))


@pytest.mark.parametrize("seconds", [0.1, 0.6, 1])
def test_stopping_during_the_start_leaves_nothing_behind(place, ups, seconds):
    ups.append(up := Up(place, "--port", "0"))
    while "Starting ClientForge" not in up.printed:
        time.sleep(0.01)
    time.sleep(seconds)
    assert up.end() == 0
    assert "Stopped." in up.printed

    ups.append(Up(place, "--port", "0").ready())


def test_files_are_kept_in_its_directory(place, ups):
    ups.append(Up(place, "--port", "0").ready())
    settings = dotenv_values(place / "clientforge.env")
    with httpx.Client(base_url=f"http://127.0.0.1:{settings['PORT']}/api/v1") as client:
        told = {"email": "admin@clientforge.local", "password": PASSWORD}
        token = client.post("/auth/login", json=told).raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        account = client.post("/accounts", json={"name": "Acme"}).raise_for_status().json()["id"]
        where = {"entity": "account", "record": account}
        file = client.post("/files", params=where, files={"file": ("a.txt", b"abc")}).raise_for_status().json()["id"]
    assert [path.read_bytes() for path in (place / "files").rglob(file)] == [b"abc"]
    assert not (place.parent / "files").exists()


def test_sample_data_is_imported_once(place, ups):
    ups.append(first := Up(place, "--port", "0", "--sample").ready())
    assert "200 read, 200 created" in first.printed
    events = done(first.run("events", "verify"))
    first.end()

    ups.append(second := Up(place, "--sample").ready())
    assert "sample   |" not in second.printed
    assert done(second.run("events", "verify")) == events
