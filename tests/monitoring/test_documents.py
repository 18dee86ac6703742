"""docs/monitoring.md and docs/runbook.md: what they name is there."""

import re

from typer.testing import CliRunner

from api.commandline.program import app
from tests.architecture.sources import ROOT
from tests.monitoring.files import ALERTS

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
_COMMAND = re.compile(r"clientforge ((?:[a-z][a-z-]* ?){1,2})([^`#\n|]*)")


def test_the_list_of_alerts_is_the_alerts():
    text = (ROOT / "docs" / "monitoring.md").read_text()
    listed = re.findall(r"^\| \[(\w+)\]\(runbook\.md#(\w+)\) \| (\w+) \|", text, re.MULTILINE)
    rules = {rule.name: (rule.name.lower(), rule.labels["severity"]) for rule in ALERTS}
    assert {name: (anchor, severity) for name, anchor, severity in listed} == rules


def test_every_alert_is_told_what_it_means_how_to_look_and_what_to_do():
    for rule in ALERTS:
        entry = RUNBOOK.split(f"### {rule.name}\n", 1)[1].split("\n##", 1)[0]
        assert "*Means:*" in entry, rule.name
        assert re.search(r"\*Look:\*.*\n.*\*Do:\*|\*Look and do:\*", entry, re.DOTALL), rule.name


def test_every_option_of_a_command_in_the_runbook_exists():
    runner = CliRunner()
    for command, rest in _COMMAND.findall(RUNBOOK):
        options = re.findall(r"--[a-z-]+", rest)
        if options:
            told = runner.invoke(app, [*command.split(), "--help"]).output
            assert [option for option in options if option not in told] == [], (command, rest)
