"""The processes of a system on one machine: children that end with their supervisor, or are found by the next one."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

from infrastructure.embedded.child import trampoline

MARK = "CLIENTFORGE_SUPERVISED"
"""The environment variable by which a later run knows the processes of a killed one."""

Say = Callable[[str, str], None]
"""Tells a person a line about a service."""


class Process:
    """A command as a child process that ends with this one; its output is said line by line.

    It leads a session of its own: an interrupt from the terminal reaches the supervisor alone.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        say: Say,
        environment: Mapping[str, str],
        patience: float = 15,
    ) -> None:
        self.name = name
        self._command = command
        self._say = say
        self._environment = dict(environment)
        self._patience = patience
        self._child: subprocess.Popen[str] | None = None
        self._group: int | None = None
        self._listener: threading.Thread | None = None

    @property
    def running(self) -> bool:
        if self._child is None:
            return False
        if self._child.poll() is None:
            return True
        self._end_group()
        return False

    @property
    def exit_code(self) -> int | None:
        """How it ended (negative: by which signal), None while it runs."""
        return None if self._child is None else self._child.poll()

    def start(self) -> None:
        """Starts the process. On Linux it gets SIGTERM when the thread that calls this ends."""
        self._child = subprocess.Popen(
            trampoline(self._command, account=None),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._group = self._child.pid
        assert self._child.stdout is not None  # noqa: S101
        self._listener = threading.Thread(target=self._listen, args=(self._child.stdout,), daemon=True)
        self._listener.start()

    def stop(self) -> None:
        """Asks it to stop, and kills it when it hasn't done so in time."""
        if self._child is None:
            return
        if self.running:
            self._child.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(self._patience)
        self._end_group()
        self._child.wait()
        if self._listener is not None:
            self._listener.join(1)

    def _end_group(self) -> None:
        """Kills what is left of it and of what it has started; once, for its number may be another's later."""
        group, self._group = self._group, None
        if group is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)

    def _listen(self, output: IO[str]) -> None:
        with output:
            for line in output:
                self._say(self.name, line.rstrip())


def mark(directory: Path) -> dict[str, str]:
    """What the environment of each process of the system in `directory` holds."""
    return {MARK: str(directory)}


def end_leftovers(directory: Path, *, patience: float = 5) -> int:
    """Ends what a killed run of the system in `directory` has left running; how many processes that were.

    Only for who holds the directory's lock.
    """
    left = [process for process in psutil.process_iter() if _is_left(process, str(directory))]
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(left, timeout=patience)
    for process in stubborn:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=patience)
    return len(left)


def _is_left(process: psutil.Process, directory: str) -> bool:
    if process.pid == os.getpid():
        return False
    try:
        return process.environ().get(MARK) == directory and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


def this_python(*arguments: str) -> list[str]:
    """The command line of this program under the same Python."""
    return [sys.executable, "-m", "api.commandline", *arguments]
