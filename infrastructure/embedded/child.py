"""A server as a child process: it answers before `start` returns, and it never outlives this process for long."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from infrastructure.embedded.account import Account

# Runs in the child before the server's program takes its place. A `preexec_fn` would do the same, but may deadlock
# when this process has threads. Order matters: a change of user clears the parent-death signal.
_BECOME_THE_SERVER = """
import ctypes, os, sys
parent, death_signal, uid, gid = map(int, sys.argv[1:5])
prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
if uid >= 0:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
if prctl is not None:
    PR_SET_PDEATHSIG = 1
    prctl(PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:
        sys.exit("the parent has gone")
os.execve(sys.argv[5], sys.argv[5:], os.environ)
"""


class ServerDidNotStart(Exception):
    """A server exited or stayed silent; the message holds the end of its log."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now; another process may take it before it is used."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Child:
    """One server process.

    On Linux it gets `death_signal` when the thread that started it ends, so start it from the main thread.
    It has a session of its own: an interrupt from the terminal reaches the parent, which then stops its children in
    the order that it chooses.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        account: Account | None = None,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        death_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.log = log
        self._account = account
        self._command = trampoline(command, account=account, death_signal=death_signal)
        self._environment = environment
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError(f"{self.name} has not been started")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, answers: Callable[[], bool], *, stdin: bytes = b"", within: float = 60) -> None:
        """Start the server and wait until `answers()`; raises ServerDidNotStart after `within` seconds."""
        with self.log.open("ab") as log:
            if self._account is not None:
                self._account.give(self.log, 0o600)
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(os.environ) if self._environment is None else dict(self._environment),
                cwd=self._directory,
                start_new_session=True,
            )
        if self._process.stdin is None:
            raise RuntimeError("no pipe")
        with self._process.stdin as pipe:
            pipe.write(stdin)
        deadline = time.monotonic() + within
        while not answers():
            if not self.running or time.monotonic() > deadline:
                self.stop()
                raise ServerDidNotStart(f"{self.name} did not start. The end of {self.log}:\n{self.end_of_log()}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGTERM, *, within: float = 30) -> None:
        """Ask the server to stop, and kill it when it has not done so after `within` seconds."""
        if self._process is None:
            return
        if self.running:
            self._process.send_signal(how)
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def end_of_log(self, lines: int = 20) -> str:
        """The last lines that the server wrote."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


def trampoline(
    command: Sequence[str | Path], *, account: Account | None, death_signal: signal.Signals = signal.SIGTERM
) -> list[str]:
    """The command line that becomes `command`, run as `account` and ended with its parent."""
    uid, gid = (-1, -1) if account is None else (account.uid, account.gid)
    numbers = [str(number) for number in (os.getpid(), int(death_signal), uid, gid)]
    return [sys.executable, "-I", "-S", "-c", _BECOME_THE_SERVER, *numbers, *map(str, command)]
