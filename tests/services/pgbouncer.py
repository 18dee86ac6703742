"""PgBouncer in front of a test database: the machine's, else Debian's package, which is used without installing it."""

import os
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg

from infrastructure.embedded import Child, free_port
from infrastructure.embedded.account import reachable_programs, unprivileged_account
from tests.services.cache import cached
from tests.services.debian import installed, unpack


def prepare() -> Path:
    """The program; raises Unavailable."""
    return installed("pgbouncer") or cached("pgbouncer", [Path(__file__)], _unpack) / "bin" / "pgbouncer"


def _unpack(directory: Path) -> None:
    unpack(directory, "pgbouncer", {"bin": "usr/sbin/pgbouncer", "lib": "usr/lib/*/lib*.so*"})


class PgBouncer:
    """A running pooler in front of the server of `urls`, for the users that these URLs name."""

    def __init__(self, directory: Path, *urls: str, pool_mode: str = "transaction", **settings: str | int) -> None:
        self._program = prepare()
        self._directory = directory
        self._urls = urls
        self._settings = {"pool_mode": pool_mode, "max_client_conn": 500, "default_pool_size": 20, **settings}
        self._port = 0
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """The first of the given URLs, through the pooler."""
        return self.through(self._urls[0])

    def through(self, url: str) -> str:
        """A URL of the server behind, changed to go through the pooler."""
        parts = urlsplit(url)
        access, _, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{access}@127.0.0.1:{self._port}"))

    def __enter__(self) -> Self:
        account = unprivileged_account()
        program = self._program
        if program.parent.name == "bin":
            program = reachable_programs(program.parent.parent, account) / "bin" / program.name
        self._directory.mkdir(parents=True, exist_ok=True)
        self._port = free_port()
        configuration = self._write_configuration()
        if account is not None:
            for path in (self._directory, *self._directory.iterdir()):
                account.give(path, 0o700)
        command = [program, configuration]
        environment = {"PATH": os.defpath, "LD_LIBRARY_PATH": str(program.parent.parent / "lib")}
        log = self._directory / "server.log"
        self._child = Child(
            "PgBouncer", command, log=log, account=account, environment=environment, directory=Path("/")
        )
        self._child.start(self._answers)
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.stop(within=5)

    def _write_configuration(self) -> Path:
        server = urlsplit(self._urls[0])
        users = {(unquote(parts.username or ""), unquote(parts.password or "")) for parts in map(urlsplit, self._urls)}
        (self._directory / "users.txt").write_text("".join(f'"{user}" "{password}"\n' for user, password in users))
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self._port,
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": self._directory / "users.txt",
            "ignore_startup_parameters": "extra_float_digits",
            **self._settings,
        }
        lines = ["[databases]", f"* = host={server.hostname} port={server.port or 5432}", "[pgbouncer]"]
        lines += [f"{name} = {value}" for name, value in settings.items()]
        path = self._directory / "pgbouncer.ini"
        path.write_text("\n".join(lines) + "\n")
        return path

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True
