"""Processes of ClientForge as an orchestrator runs them: each is stopped by SIGTERM and started again."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx


class Instance:
    """One process of a command. Each start appends to the same log."""

    def __init__(self, command: str, variables: Mapping[str, str], place: Path) -> None:
        self.url = f"http://127.0.0.1:{variables['PORT']}"
        self.log = place / f"{command}-{variables['PORT']}.log"
        self._command = command
        self._variables = dict(variables)
        self._place = place
        self.process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "api.commandline", self._command]
            return subprocess.Popen(command, env=self._variables, cwd=self._place, stdout=log, stderr=log)

    def wait_until_ready(self, path: str = "/ready", seconds: float = 60) -> None:
        """Returns when the process answers."""
        deadline = time.monotonic() + seconds
        while not _answers(self.url + path):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def ask_to_stop(self) -> None:
        """Asks it to stop. To be asked once: a second signal may meet a process that listens no more, and kill it."""
        self.process.terminate()

    def said(self) -> int:
        """How much its log holds."""
        return self.log.stat().st_size

    def wait_until_it_says(self, text: bytes, after: int, seconds: float = 60) -> None:
        """Returns when the log has this behind the first `after` bytes."""
        deadline = time.monotonic() + seconds
        while text not in self.log.read_bytes()[after:]:
            assert time.monotonic() < deadline, self.log.read_text()[-5000:]
            time.sleep(0.1)

    def wait_until_ended_well(self, seconds: float = 60) -> None:
        """Waits for one that was asked to stop."""
        code = self.process.wait(seconds)
        assert code == 0, (code, self.log.read_text()[-5000:])

    def stop_well(self) -> None:
        """Stops it, which must end well."""
        self.ask_to_stop()
        self.wait_until_ended_well()

    def start(self, path: str = "/ready") -> None:
        """Starts it again."""
        self.process = self._started()
        self.wait_until_ready(path)

    def restart(self, path: str = "/ready") -> None:
        """Stops it, which must end well, and starts it again."""
        self.stop_well()
        self.start(path)

    def end(self) -> None:
        """Leaves nothing running, and waits for no drain."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class Proxy:
    """HAProxy with the deployment's own configuration, in front of these APIs."""

    def __init__(self, program: Path, configuration: Path, place: Path, port: int) -> None:
        self._port = port
        libraries = program.parent.parent / "lib"
        self._environment = {**os.environ, "LD_LIBRARY_PATH": str(libraries)} if libraries.is_dir() else None
        self._command = [str(program), "-f", str(configuration)]
        self.log = place / "haproxy.log"

    def check(self) -> "subprocess.CompletedProcess[str]":
        """Has HAProxy judge the configuration."""
        command = [*self._command, "-c"]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)

    def __enter__(self) -> "Proxy":
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while not _listens(self._port):
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)
