"""The Containerfile: judged by a linter, and by what it copies, installs and starts."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from api.commandline.probing import answers
from infrastructure.embedded.child import free_port
from tests.architecture.sources import PACKAGES, ROOT

CONTAINERFILE = ROOT / "deploy" / "Containerfile"


def linted(path: Path) -> "subprocess.CompletedProcess[str]":
    command = [str(Path(sys.executable).parent / "hadolint"), "--no-color", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def stages() -> list[list[tuple[str, str]]]:
    """The instructions and what follows them, stage by stage."""
    text = re.sub(r"^#.*\n", "", CONTAINERFILE.read_text(), flags=re.MULTILINE)
    found: list[list[tuple[str, str]]] = []
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if line.strip():
            name, rest = line.split(maxsplit=1)
            if name == "FROM":
                found.append([])
            found[-1].append((name, rest))
    return found


def only(stage: list[tuple[str, str]], name: str) -> str:
    [found] = [rest for each, rest in stage if each == name]
    return found


def test_the_linter_finds_nothing():
    found = linted(CONTAINERFILE)
    assert found.returncode == 0, found.stdout


def test_the_linter_would_find_something(tmp_path):
    path = tmp_path / "Containerfile"
    path.write_text(CONTAINERFILE.read_text().replace("FROM python:3.11-slim\n", "FROM python:latest\n"))
    assert linted(path).returncode == 1


def test_all_that_is_copied_is_there_and_not_ignored(stages):
    ignored = (ROOT / ".containerignore").read_text().splitlines()
    for stage in stages:
        for _, rest in (each for each in stage if each[0] == "COPY"):
            if rest.startswith("--from="):
                continue
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in ignored, source
    text = CONTAINERFILE.read_text()
    assert all(f"COPY {package} ./{package}\n" in text for package in PACKAGES)
    assert (ROOT / ".dockerignore").read_text() == (ROOT / ".containerignore").read_text()


def test_only_what_is_locked_is_installed_by_its_hashes_and_built_without_anything_from_elsewhere(stages):
    installs = [rest for name, rest in stages[0] if name == "RUN" and "pip install" in rest]
    assert len(installs) == 2
    assert "--require-hashes" in installs[0]
    assert installs[0].endswith("-r requirements.lock")
    assert "--no-deps --no-build-isolation ." in installs[1]
    assert re.search(r"^setuptools==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)


def test_the_lock_lies_where_what_is_installed_is_compared_with_it(stages):
    install = next(rest for name, rest in stages[0] if name == "RUN" and "--no-build-isolation" in rest)
    version = re.fullmatch(r"python:(3\.\d+)-slim AS built", only(stages[0], "FROM"))
    assert version is not None
    assert f"cp requirements.lock /opt/clientforge/lib/python{version[1]}/site-packages/" in install


def test_the_last_stage_builds_nothing_and_runs_as_nobody_of_importance(stages):
    last = stages[-1]
    runs = " ".join(rest for name, rest in last if name == "RUN")
    assert "pip install" not in runs
    assert "apt-get" not in runs
    names = [name for name, _ in last]
    assert int(only(last, "USER").split(":")[0]) > 0
    assert names.index("USER") < names.index("ENTRYPOINT")


def test_it_starts_the_program_itself_so_that_signals_reach_it(stages):
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert only(stages[-1], "ENTRYPOINT") == '["clientforge"]'
    assert "clientforge" in scripts
    assert only(stages[-1], "CMD") == '["serve"]'


def test_its_health_check_runs_and_tells_who_does_not_answer(stages):
    check = only(stages[-1], "HEALTHCHECK")
    command = shlex.split(check.split("CMD", 1)[1].strip(" []").replace(",", " "))
    assert command[:3] == ["python", "-m", "api.commandline.probing"]
    url = command[3].replace(":3000", f":{free_port()}")
    assert subprocess.run([sys.executable, *command[1:3], url], check=False).returncode == 1
    assert not answers(url)
