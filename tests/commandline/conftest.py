"""A system of its own for the command line: a fresh database, and its keys in Redis under a prefix of their own."""

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from infrastructure.bootstrap import Application, build
from infrastructure.settings import Settings
from tests.fixtures import JWT_SECRET, MASTER_KEY, DatabaseUrls

Result = subprocess.CompletedProcess[str]
Run = Callable[..., Result]


@pytest.fixture
def environment(fresh_urls: DatabaseUrls, redis_url: str) -> dict[str, str]:
    """The variables by which a command finds the test's system."""
    return {
        **without_settings(os.environ),
        "DATABASE_URL": fresh_urls.app,
        "DATABASE_OWNER_URL": fresh_urls.owner,
        "DATABASE_MONITOR_URL": fresh_urls.monitor,
        "REDIS_URL": redis_url,
        "REDIS_PREFIX": f"{{{secrets.token_hex(4)}}}",
        "JWT_SECRET": JWT_SECRET,
        "MASTER_KEY": MASTER_KEY,
    }


@pytest.fixture
def run(environment: Mapping[str, str], tmp_path: Path) -> Run:
    """Runs a command as a process. Keyword arguments set variables, None takes one away."""

    def run(*arguments: str, answer: str | None = None, **variables: str | None) -> Result:
        chosen = {**environment, **variables}
        return subprocess.run(
            [sys.executable, "-m", "api.commandline", *arguments],
            env={name: value for name, value in chosen.items() if value is not None},
            cwd=tmp_path,
            input=answer or "",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def built(environment) -> Iterator[Application]:
    """The application over the test's system, in this process."""
    names = {name.upper() for name in Settings.model_fields}
    application = build(
        Settings.load(_env_file=None, **{name.lower(): environment[name] for name in names & environment.keys()})
    )
    yield application
    application.close()


def without_settings(variables: Mapping[str, str]) -> dict[str, str]:
    """An environment that names no system."""
    names = {name.upper() for name in Settings.model_fields}
    return {name: value for name, value in variables.items() if name not in names and "CLIENTFORGE" not in name}


def done(result: Result) -> str:
    """What a command printed that must have gone well."""
    assert result.returncode == 0, result.stderr
    return result.stdout


def refused(result: Result, code: int) -> str:
    """What a command said that must have failed: on stderr, and no traceback."""
    assert result.returncode == code, (result.returncode, result.stdout, result.stderr)
    assert "Traceback" not in result.stderr
    return result.stderr
