"""The names that operators of the earlier system know: each leads to a command and a target of make that are there."""

import os
import re
import subprocess

import pytest
from typer.testing import CliRunner

from api.commandline.program import app
from tests.architecture.sources import ROOT

KNOWN = {
    *("verify:services", "deploy:verify", "db:migrate", "seed:admin", "queue:health", "queue:clear-dlq"),
    *("es:setup-ilm", "es:create-tenant-aliases", "security:scan", "logs:backend"),
    *("test:unit", "test:integration", "test:performance"),
}
_ROW = re.compile(r"^\| `([a-z-]+:[a-z-]+)` \| (?:`clientforge ([a-z -]+)`)? *\| `make ([a-z-]+)` \|$", re.MULTILINE)
ROWS = _ROW.findall((ROOT / "docs" / "commandline.md").read_text())

each_row = pytest.mark.parametrize(("name", "command", "target"), ROWS, ids=[name for name, _, _ in ROWS])


def make(*arguments: str) -> str:
    """What make prints; `--dry-run` runs nothing."""
    # These tests may run under make themselves, whose flags, level and variables would be heard here, too.
    of_make = {"MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "PYTEST"}
    outside = {name: value for name, value in os.environ.items() if name not in of_make}
    done = subprocess.run(["make", *arguments], cwd=ROOT, env=outside, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_name_is_in_the_table():
    assert {name for name, _, _ in ROWS} == KNOWN


@each_row
def test_the_command_is_there_and_its_target_runs_it(name, command, target):
    run = make("--dry-run", target, "ARGS=--an-option")

    if command:
        assert CliRunner().invoke(app, [*command.split(), "--help"]).exit_code == 0
        assert f"bin/clientforge {command} --an-option" in re.sub(r" +", " ", run)
    else:
        assert re.search(r"bin/python -m (pytest|tests\.performance)", run)


@each_row
def test_help_lists_the_target(name, command, target):
    assert re.search(rf"^{target} +\S", make("help"), re.MULTILINE)


def test_help_lists_every_target_and_no_other():
    makefile = (ROOT / "Makefile").read_text()
    named = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)$", makefile, re.MULTILINE)
    commands = re.search(r"^COMMANDS := ((?:.*\\\n)*.*)$", makefile, re.MULTILINE)
    assert named is not None
    assert commands is not None
    phony = set(named[1].replace("\\\n", " ").split()) - {"$(COMMANDS)"} | set(commands[1].replace("\\\n", " ").split())

    assert {line.split()[0] for line in make("help").splitlines()} == phony


def test_unit_tests_and_integration_tests_are_all_tests():
    unit, integration = make("--dry-run", "test-unit"), make("--dry-run", "test-integration")

    directories = re.findall(r"-m pytest (.*)", unit)[0].split()
    assert directories
    assert all((ROOT / each).is_dir() for each in directories)
    assert re.findall(r"-m pytest (.*)", integration)[0].split() == [f"--ignore={each}" for each in directories]
