"""What the documents name is there."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.commandline.program import app
from infrastructure.settings import Settings
from tests.architecture.sources import ROOT

DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
# The walk makes its files, and the test of the walk looks after them.
MADE_BY_A_WALK = {ROOT / "docs" / "adding-an-entity.md"}
_LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)")
_PATH = re.compile(r"`((?:domain|application|projections|infrastructure|api|tests|docs|deploy)/[\w./-]+)`")
_COMMAND = re.compile(r"clientforge ([a-z]+(?: [a-z][a-z-]*)?)")

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


@each_document
def test_links_lead_somewhere(document: Path):
    broken = [link for link in _LINK.findall(document.read_text()) if not (document.parent / link).exists()]

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
