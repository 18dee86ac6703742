"""What runs in the containers, run here: the same commands with the same variables, secrets and configurations."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from psycopg import sql

from infrastructure.backups.sealing import Identity
from infrastructure.embedded import EmbeddedRedis
from infrastructure.embedded.child import free_port
from infrastructure.migrate import create_database
from infrastructure.settings import Settings
from tests.commandline.conftest import without_settings
from tests.deployment.compose import DEPLOY, production

GIVEN = {"PUBLIC_URL": "https://crm.example.com"}


def given(environment: Mapping[str, Any]) -> dict[str, str]:
    """A service's variables. Those without a value are what the shell gives, and unset where it gives none."""
    told = {key: GIVEN.get(key) if value is None else str(value) for key, value in environment.items()}
    return {key: value for key, value in told.items() if value is not None}


CONFIGURATION = DEPLOY / "redis" / "redis.conf"


class DeployedRedis(EmbeddedRedis):
    """Redis with the deployment's configuration and accounts, but a port and a directory of the test's own."""

    accounts: Path

    def _configuration(self, directory: Path) -> str:
        accounts = directory / "redis_acl"
        shutil.copy(self.accounts, accounts)
        accounts.chmod(0o644)
        text = CONFIGURATION.read_text()
        for there, here in (
            ("bind * -::*", "bind 127.0.0.1"),
            ("port 6379", f"port {self.port}"),
            ("dir /data", f"dir {directory}"),
            ("/run/secrets/redis_acl", str(accounts)),
        ):
            assert there in text
            text = text.replace(there, here)
        return text

    def _answers(self) -> bool:
        # As the container's health check does.
        try:
            return bool(self.as_user("health", "none").ping())
        except redis.ConnectionError:
            return False

    def as_user(self, name: str, password: str) -> "redis.Redis":
        return redis.Redis(port=self.port, username=name, password=password, protocol=2)


@pytest.fixture(scope="module")
def deployed_redis(secrets_directory) -> Iterator[DeployedRedis]:
    """The deployment's Redis."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        server = DeployedRedis(Path(place) / "redis")
        server.accounts = secrets_directory / "redis_acl"
        with server:
            yield server


@dataclass
class Deployment:
    """The services' variables, changed by nothing but where things are on this machine."""

    services: Mapping[str, Any]
    secrets: Path
    place: Path
    ports: Mapping[str, int]
    given: Mapping[str, str]

    def variables(self, name: str) -> dict[str, str]:
        """What the service `name` finds in its environment."""
        told = {**given(self.services[name]["environment"]), **self.given}
        for key, value in told.items():
            told[key] = value.replace("/run/secrets/", f"{self.secrets}/").replace("/var/lib", f"{self.place}/var/lib")
        there = {}
        if name in self.ports:
            asked = "" if name == "api" else "METRICS_"
            there = {f"{asked}PORT": str(self.ports[name]), f"{asked}HOST": "127.0.0.1"}
        prefix = {"ELASTICSEARCH_PREFIX": f"deployed-{self.place.name}".lower()}
        return {**without_settings(os.environ), **told, **there, **prefix}

    def command(self, name: str, *words: str) -> list[str]:
        return [sys.executable, "-m", "api.commandline", *(words or self.services[name]["command"])]

    def run(self, name: str, *words: str) -> str:
        """What a service says that ends by itself, and well: `docker compose run --rm NAME`."""
        command, variables = self.command(name, *words), self.variables(name)
        done = subprocess.run(command, env=variables, cwd=self.place, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def is_healthy(self, name: str) -> bool:
        """Whether the service's own health check says so."""
        _, _, *command, url = self.services[name]["healthcheck"]["test"]
        here = url.replace(":3000", f":{self.ports[name]}").replace(":9464", f":{self.ports[name]}")
        return subprocess.run([sys.executable, *command, here], check=False).returncode == 0


@pytest.fixture
def deployment(
    postgres, fresh_urls, deployed_redis, elasticsearch_url, mongodb_url, secrets_directory, tmp_path
) -> Iterator[Deployment]:
    """A deployment whose database is still empty."""
    empty = f"deployed_{secrets.token_hex(4)}"
    create_database(postgres.superuser_url, empty)
    own = tmp_path / "secrets"
    shutil.copytree(secrets_directory, own)
    password = (own / "redis_password").read_text().strip()
    for name, url in {
        "database_url": fresh_urls.app.rsplit("/", 1)[0] + f"/{empty}",
        "database_owner_url": fresh_urls.owner.rsplit("/", 1)[0] + f"/{empty}",
        "database_monitor_url": fresh_urls.monitor.rsplit("/", 1)[0] + f"/{empty}",
        "redis_url": f"redis://clientforge:{password}@127.0.0.1:{deployed_redis.port}/0",
        "elasticsearch_url": elasticsearch_url,
        "mongodb_url": f"{mongodb_url.rstrip('/')}/{empty}",
    }.items():
        (own / name).chmod(0o600)
        (own / name).write_text(f"{url}\n")
    names = ("api", "worker", "sweeper")
    services = production(GIVEN)["services"]
    yield Deployment(services, own, tmp_path, {name: free_port() for name in names}, {})
    with psycopg.connect(postgres.superuser_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(empty)))


def test_each_service_starts_in_production_is_healthy_and_stops(deployment: Deployment):
    assert "Applied 0001-event-log" in deployment.run("migrate")
    running = {}
    for name in ("api", "worker", "sweeper"):
        variables = {**deployment.variables(name), "DRAIN_SECONDS": "0"}
        assert variables["ENVIRONMENT"] == "production"
        with (deployment.place / f"{name}.log").open("wb") as log:
            running[name] = subprocess.Popen(
                deployment.command(name), env=variables, cwd=deployment.place, stdout=log, stderr=log
            )
    try:
        for name, process in running.items():
            deadline = time.monotonic() + 60
            while not deployment.is_healthy(name):
                said = (deployment.place / f"{name}.log").read_text()[-3000:]
                assert process.poll() is None, (name, said)
                assert time.monotonic() < deadline, (name, said)
                time.sleep(0.2)
    finally:
        for process in running.values():
            process.terminate()
        codes = {name: process.wait(60) for name, process in running.items()}
    assert codes == {"api": 0, "worker": 0, "sweeper": 0}


def test_a_backup_is_made_verified_and_drilled_with(deployment: Deployment):
    identity = Identity.generate()
    (deployment.secrets / "backup_identity").write_text(str(identity))
    # Root runs PostgreSQL under another account, which doesn't reach into the test's own directory.
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o755)
        given = {"BACKUP_RECIPIENTS": str(identity.to_public()), "TMPDIR": scratch}
        deployment = replace(deployment, given=given)
        deployment.run("migrate")
        assert "Backed up 0 events" in deployment.run("backup")
        assert "intact" in deployment.run("recovery")
        assert "0 differences" in deployment.run("recovery", "dr", "drill")
        assert list(Path(scratch).iterdir()) == []


def test_the_secrets_that_the_script_makes_are_strong_enough_for_production(secrets_directory, monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    services = production(GIVEN)["services"]
    for key, value in given({**services["api"]["environment"], **services["migrate"]["environment"]}).items():
        monkeypatch.setenv(key, value.replace("/run/secrets", str(secrets_directory)))
    settings = Settings.load(_env_file=None)
    assert settings.environment == "production"
    assert settings.database_owner_url is not None


def test_the_script_leaves_secrets_that_are_there_as_they_are(secrets_directory):
    before = {path.name: path.read_text() for path in secrets_directory.iterdir()}
    subprocess.run(["sh", DEPLOY / "make-secrets.sh", secrets_directory], check=True)
    assert {path.name: path.read_text() for path in secrets_directory.iterdir()} == before
    assert secrets_directory.stat().st_mode & 0o077 == 0
    assert len({before[name] for name in before if name.endswith("_password") and before[name]}) == sum(
        1 for name in before if name.endswith("_password") and before[name]
    )


def made_with(programs: Path, secrets: Path) -> subprocess.CompletedProcess[str]:
    """What the script said where there are only these programs."""
    command = (shutil.which("sh") or "sh", str(DEPLOY / "make-secrets.sh"), str(secrets))
    return subprocess.run(command, env={"PATH": str(programs)}, capture_output=True, text=True, check=False)


@pytest.fixture
def without_openssl(tmp_path) -> Path:
    """The programs that the script needs, but for openssl."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("cat", "chmod", "dirname", "mkdir", "mv"):
        (programs / name).symlink_to(shutil.which(name) or name)
    return programs


def test_without_openssl_the_script_writes_nothing(without_openssl, tmp_path):
    failed = made_with(without_openssl, tmp_path / "secrets")

    assert failed.returncode == 1
    assert "openssl is needed" in failed.stderr
    assert not (tmp_path / "secrets").exists()


def test_the_script_writes_no_empty_secret(without_openssl, tmp_path):
    (without_openssl / "openssl").symlink_to(shutil.which("false") or "false")
    failed = made_with(without_openssl, tmp_path / "secrets")

    assert failed.returncode == 1
    assert "nothing was made for postgres_password" in failed.stderr
    assert list((tmp_path / "secrets").iterdir()) == []


def test_the_script_refuses_secrets_that_are_empty_but_for_optional_ones(secrets_directory, tmp_path):
    own = tmp_path / "secrets"
    shutil.copytree(secrets_directory, own)
    optional = {"jwt_secret_previous", "smtp_password", "slack_webhook_url", "pagerduty_routing_key"}
    assert {each.name for each in own.iterdir() if not each.read_bytes()} == optional
    (own / "master_key").chmod(0o600)
    (own / "master_key").write_text("\n")

    failed = subprocess.run(["sh", DEPLOY / "make-secrets.sh", own], capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert f"{own}/master_key is empty" in failed.stderr


def test_redis_evicts_nothing_keeps_what_it_is_told_and_lets_nobody_in_without_a_password(
    deployed_redis: DeployedRedis, secrets_directory
):
    password = (secrets_directory / "redis_password").read_text().strip()
    told: Any = deployed_redis.as_user("clientforge", password).config_get("*")
    assert (told["maxmemory-policy"], told["appendonly"]) == ("noeviction", "yes")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=deployed_redis.port, protocol=2).ping()
    for name, secret in (("health", "none"), ("exporter", "redis_exporter_password")):
        path = secrets_directory / secret
        client = deployed_redis.as_user(name, path.read_text().strip() if path.exists() else secret)
        assert client.ping()
        with pytest.raises(redis.ResponseError):
            client.get("anything")
