"""docs/adding-an-entity.md, followed word for word in a copy of the sources: what it promises works."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, ROOT

_BLOCK = re.compile(r"^`(?P<path>[^`\n]+)`:\n\n```(?P<kind>\w+)\n(?P<text>.*?)```$", re.MULTILINE | re.DOTALL)


def _blocks() -> list[tuple[str, str, str]]:
    text = (ROOT / "docs" / "adding-an-entity.md").read_text()
    return [(match["path"], match["kind"], match["text"]) for match in _BLOCK.finditer(text)]


def _follow(copy: Path) -> None:
    """Writes each file, and makes each change where the walk says."""
    for name, kind, text in _blocks():
        path = copy / name
        if kind != "diff":
            assert not path.exists(), f"{name} is there already"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            continue
        lines = text.splitlines()
        before = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
        after = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
        source = path.read_text()
        assert f"\n{source}".count(f"\n{before}") == 1, f"{name} has no such line, or several: {before}"
        path.write_text(f"\n{source}".replace(f"\n{before}", f"\n{after}")[1:])


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The sources and tests, in a folder of their own."""
    for name in (*PACKAGES, "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_walk_works_word_for_word(copy, postgres, redis_url):
    _follow(copy)

    run = subprocess.run(
        [
            sys.executable,
            *("-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("tests/api/test_campaigns.py", "tests/architecture/test_catalogues.py"),
        ],
        cwd=copy,
        env={**os.environ, "TEST_DATABASE_URL": postgres.superuser_url, "TEST_REDIS_URL": redis_url},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"\b(\d+) passed", run.stdout)


@pytest.mark.parametrize(
    ("left_out", "why"),
    [
        ("application/catalogue.py", "domain/campaigns is not among the entities"),
        ("projections/catalogue.py", "campaigns is not among the projections"),
        ("api/app.py", "api/campaigns.py is not among the controllers"),
    ],
)
def test_a_line_that_a_list_misses_is_noticed(copy, left_out, why):
    _follow(copy)
    shutil.copy(ROOT / left_out, copy / left_out)

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/architecture/test_catalogues.py"],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 1, run.stdout + run.stderr
    assert why in run.stdout
