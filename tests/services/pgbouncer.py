"""PgBouncer in front of a test database: the machine's, else Debian's package, which is used without installing it."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg

from infrastructure.embedded import Child, free_port
from infrastructure.embedded.account import reachable_programs, unprivileged_account
from tests.services.availability import Unavailable
from tests.services.cache import cached, run_showing_progress


def prepare() -> Path:
    """The program; raises Unavailable."""
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/bin")
    if found is not None:
        return Path(found)
    if shutil.which("apt-get") is None:
        raise Unavailable("PgBouncer is not installed")
    return cached("pgbouncer", [Path(__file__)], _unpack_package) / "bin" / "pgbouncer"


def _unpack_package(directory: Path) -> None:
    """Fetch the package and what it needs, and unpack them here: installing it would start a service."""
    if not _packages() and os.geteuid() == 0:
        run_showing_progress("Fetching the list of packages", ["apt-get", "update"])
    packages = _packages()
    if not packages:
        raise Unavailable(
            "PgBouncer is not installed, and apt knows no package of that name ('apt-get update' may help)"
        )
    root = directory / "root"
    root.mkdir()
    run_showing_progress("Downloading PgBouncer", ["apt-get", "download", *packages], directory=root)
    for package in root.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, root], check=True)
    for name, pattern in (("bin", "usr/sbin/pgbouncer"), ("lib", "usr/lib/*/lib*.so*")):
        (directory / name).mkdir()
        for file in root.glob(pattern):
            shutil.copy(file, directory / name)
    shutil.rmtree(root)


def _packages() -> list[str]:
    """The packages that installing PgBouncer would bring to this machine; none when apt doesn't know it."""
    command = ["apt-get", "install", "--simulate", "--no-install-recommends", "pgbouncer"]
    simulated = subprocess.run(command, capture_output=True, text=True, check=False)
    return re.findall(r"^Inst (\S+)", simulated.stdout, re.MULTILINE)


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
