"""What the documents name is there."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.commandline.program import app
from infrastructure.settings import Settings
from tests.architecture.commands_named import calls, wrong
from tests.architecture.documents import DOCUMENTS, anchors, code, links
from tests.architecture.sources import ROOT

# The walk makes its files, and the test of the walk looks after them.
MADE_BY_A_WALK = {ROOT / "docs" / "adding-an-entity.md"}
# Read by the shell, a library, the program itself or the tests: not by Settings.
FOREIGN = frozenset(
    {
        "CLIENTFORGE_ADMIN_PASSWORD",
        "CLIENTFORGE_DATA_DIR",
        "CLIENTFORGE_TRACEBACK",
        "COMPOSE_FILE",
        "DOCKER_GROUP",
        "GRAFANA_MONGODB_PASSWORD",
        "GRAFANA_MONGODB_USER",
        "NAME_FILE",
        "SSL_CERT_FILE",
        "TAKES_OVER",
    }
)
_PATH = re.compile(r"`((?:domain|application|projections|infrastructure|api|tests|docs|deploy)/[\w./-]+)`")
_SETTING = re.compile(r"(?<![\w$/{.])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?![\w(])")
_COMMAND = re.compile(r"clientforge ([a-z]+(?: [a-z][a-z-]*)?)")

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


@each_document
def test_links_lead_somewhere(document: Path):
    broken = [path for path, _ in links(document.read_text()) if not (document.parent / path).exists()]

    assert not broken


@each_document
def test_links_lead_to_a_heading_that_is_there(document: Path):
    broken = [
        f"{path}#{anchor}"
        for path, anchor in links(document.read_text())
        if anchor and anchor not in anchors(document.parent / path if path else document)
    ]

    assert not broken


@each_document
def test_named_files_exist(document: Path):
    if document in MADE_BY_A_WALK:
        return
    missing = [name for name in _PATH.findall(document.read_text()) if not (ROOT / name).exists()]

    assert not missing


def test_every_setting_is_explained_in_the_example():
    example = (ROOT / ".env.example").read_text()

    assert [name for name in Settings.model_fields if f"{name.upper()}=" not in example] == []


def test_every_command_that_is_named_exists():
    named = {
        command
        for document in DOCUMENTS
        for line in document.read_text().splitlines()
        for command in _COMMAND.findall(line)
    }
    runner = CliRunner()

    def is_there(command: str) -> bool:
        return runner.invoke(app, [*command.split(), "--help"]).exit_code == 0

    assert [command for command in sorted(named) if not is_there(command)] == []


@each_document
def test_commands_in_code_have_the_options_that_they_are_shown_with(document: Path):
    found = [fault for line in code(document.read_text()) for call in calls(line) for fault in wrong(call)]

    assert not found


def test_a_deployment_is_verified_as_somebody_whose_password_reaches_the_container():
    text = (ROOT / "docs" / "deployment.md").read_text()
    shown = [line for line in code(text) if "docker compose exec" in line and "deploy verify" in line]

    assert len(shown) == 2
    for line in shown:
        before, _, after = line.partition("clientforge deploy verify ")
        assert "-e CLIENTFORGE_ADMIN_PASSWORD api" in before
        assert {"--url", "--tenant", "--email"} <= set(after.split())


@pytest.mark.parametrize(
    ("line", "faults"),
    [
        ("clientforge queue health", []),
        ("17 2 * * * clientforge queue heal && clientforge events verify --fast", ["queue heal", "verify --fast"]),
        ("clientforge --data-dir D queue clear-dlq --yes | tail -2 --hurry", []),
        ("clientforge queue list-dlq|retry-dlq|drop-dlq", ["queue drop-dlq"]),
        ("clientforge nothing", ["clientforge nothing"]),
        ("clientforge COMMAND --help", []),
    ],
)
def test_a_command_that_is_not_there_is_found(line, faults):
    found = [fault for call in calls(line) for fault in wrong(call)]

    assert [fault.split("clientforge ")[-1] for fault in found] == [each.split("clientforge ")[-1] for each in faults]


@each_document
def test_settings_that_are_named_can_be_set(document: Path):
    if document in MADE_BY_A_WALK:
        return
    named = set(_SETTING.findall(document.read_text()))
    known = {name.upper() for name in Settings.model_fields} | FOREIGN
    unknown = {name for name in named if name not in known and name.removesuffix("_FILE") not in known}

    assert not unknown


def test_no_name_is_called_foreign_that_no_document_has():
    named = {name for document in DOCUMENTS for name in _SETTING.findall(document.read_text())}

    assert FOREIGN - named == set()


@each_document
def test_targets_of_make_exist(document: Path):
    targets = set(re.findall(r"^([a-z-]+(?: [a-z-]+)*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    there = {name for line in targets for name in line.split()}
    named = {
        name for line in code(document.read_text()) for name in re.findall(r"(?:^|&& |\$ )make ([a-z][a-z-]*)", line)
    }

    assert named - there == set()
