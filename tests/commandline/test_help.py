"""The command line as people meet it first."""

import subprocess
import sys

import pytest

COMMANDS = (
    "up",
    "serve",
    "worker",
    "sweeper",
    "db migrate",
    "tenant create",
    "tenant edit",
    "tenant list",
    "seed admin",
    "import",
    "projections status",
    "projections rebuild",
    "projections retry",
    "projections skip",
    "events verify",
    "events replay",
    "queue health",
    "verify services",
    "deploy verify",
    "queue clear-dlq",
)


def clientforge(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api.commandline", *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_and_takes_a_data_directory(command):
    shown = clientforge(*command.split(), "--help")

    assert shown.returncode == 0
    assert f"Usage: clientforge {command}" in shown.stdout
    assert "--data-dir" in shown.stdout


def test_the_first_help_lists_every_group_under_a_heading():
    shown = clientforge("--help").stdout

    for heading in ("Everything on one machine:", "Set up:", "Look after:"):
        assert heading in shown
    for command in COMMANDS:
        assert f"\n  {command.split()[0]}" in shown


def test_help_loads_nothing_of_the_application_and_so_comes_at_once():
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "api.commandline", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    loaded = {line.rpartition("|")[2].strip() for line in told.splitlines()}

    assert "typer" in loaded
    assert not loaded & {"psycopg", "litestar", "redis", "dramatiq", "msgspec", "domain", "infrastructure", "rich"}


@pytest.mark.parametrize("arguments", [("nonsense",), ("up", "--port", "70000"), ("events",), ("--data-dir",)])
def test_wrong_usage_ends_with_2(arguments):
    assert clientforge(*arguments).returncode == 2
