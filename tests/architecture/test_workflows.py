"""The workflows of GitHub Actions: no runner is here, so linters and the Makefile judge them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
BIN = Path(sys.executable).parent


def linted(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(each) for each in command], cwd=ROOT, capture_output=True, text=True, check=False)


def test_there_is_a_workflow():
    assert WORKFLOWS


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_is_valid_and_secure(path):
    valid = linted(BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", path)
    assert valid.returncode == 0, valid.stdout
    secure = linted(BIN / "zizmor", "--offline", "--no-progress", path)
    assert secure.returncode == 0, secure.stdout


def test_the_linters_find_what_is_wrong(tmp_path):
    path = tmp_path / "workflow.yml"
    path.write_text(WORKFLOWS[0].read_text().replace("runs-on:", "runs_on:"))
    assert linted(BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", path).returncode == 1
    path.write_text(
        WORKFLOWS[0].read_text().replace('"$NUMBER" --body', "${{ github.event.pull_request.title }} --body")
    )
    assert linted(BIN / "zizmor", "--offline", "--no-progress", path).returncode != 0


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_whatever_a_workflow_runs_is_there(path):
    text, targets = path.read_text(), set(re.findall(r"^([a-z -]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    known = {name for each in targets for name in each.split()}
    made = set(re.findall(r"\bmake \"?([a-z-]+)(?:\$LOAD)?\"?", text))
    assert made
    for name in made:
        wanted = [f"{name}{each}" for each in ("smoke", "full")] if name.endswith("-") else [name]
        assert set(wanted) <= known
    for script in re.findall(r"\bbash (\S+)", text):
        assert (ROOT / script).is_file()
    for module in re.findall(r"python -m (\S+)", text):
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file()
