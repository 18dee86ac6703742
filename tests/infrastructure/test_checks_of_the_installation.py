"""What `verify services` says of settings, files and packages."""

import secrets
import shutil
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

from infrastructure.checks.installation import environment, files, invalid_environment
from infrastructure.checks.packages import dependencies
from infrastructure.checks.together import together
from infrastructure.findings import Finding, Result, ok
from infrastructure.security_scan import ROOT, SOURCES
from infrastructure.settings import InvalidSettings, Settings
from tests.fixtures import JWT_SECRET, MASTER_KEY

URL = "postgresql://clientforge_app:jTq4Lz0w@127.0.0.1/clientforge"


def told(findings: list[Finding], result: Result) -> list[str]:
    """What the findings say, all of which must have come out so."""
    assert {each.result for each in findings} == {result}, findings
    return [each.found for each in findings]


def test_settings_that_production_would_refuse_are_told_before_production():
    strong = Settings.load(
        _env_file=None,
        database_url=f"postgresql://clientforge_app:{secrets.token_urlsafe(24)}@127.0.0.1/clientforge",
        public_url="https://crm.example.com",
        jwt_secret=JWT_SECRET,
        master_key=MASTER_KEY,
    )
    assert "strong enough" in told(environment(strong), Result.OK)[0]

    weak = Settings.load(_env_file=None, database_url=URL, jwt_secret="x" * 40, master_key=MASTER_KEY)
    assert "JWT_SECRET" in told(environment(weak), Result.WARNING)[0]


def test_settings_that_are_missing_or_wrong_fail_a_line_each():
    with pytest.raises(InvalidSettings) as refused:
        Settings.load(_env_file=None, database_url=URL, jwt_secret="short", master_key="no key")
    found = told(invalid_environment(refused.value), Result.FAILED)
    assert [line.partition(":")[0] for line in found] == ["JWT_SECRET", "MASTER_KEY"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what is installed."""
    for name in SOURCES:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize("name", ["api/page/page.js", "infrastructure/migrations/0001-event-log.sql"])
def test_a_file_that_is_missing_fails(tree, name):
    assert told(files(tree), Result.OK)
    (tree / name).unlink()
    assert told(files(tree), Result.FAILED) == [f"{name} is missing"]


def test_secrets_that_others_can_read_are_told(tmp_path):
    secrets = tmp_path / ".env"
    secrets.touch(0o600)
    assert told(files(secrets=[secrets]), Result.OK)
    secrets.chmod(0o644)
    assert "other accounts" in told(files(secrets=[secrets]), Result.WARNING)[0]


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock file over packages that are made up."""
    made = tmp_path / "requirements.lock"
    made.write_text(
        "alpha==1.0 \\\n    --hash=sha256:00\nbeta==2.5 ; python_full_version >= '3.11' \\\n    --hash=sha256:00\n"
        "gamma==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n"
    )
    return made


def installed(directory: Path, **packages: str) -> Iterator[Distribution]:
    """Packages by the metadata that pip leaves: `name="version needs"`."""
    for name, text in packages.items():
        version, _, needs = text.partition(" ")
        metadata = directory / f"{name}-{version}.dist-info"
        metadata.mkdir()
        required = f"Requires-Dist: {needs}\n" if needs else ""
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{required}")
    return iter(distributions(path=[str(directory)]))


def test_the_environment_of_these_tests_is_as_locked():
    assert "as locked" in told(dependencies(), Result.OK)[0]


def test_packages_as_locked_are_well(lock, tmp_path):
    there = installed(tmp_path, alpha="1.0 beta>=2; extra == 'more'", beta="2.5 delta>1; sys_platform == 'win32'")
    assert told(dependencies(lock, there), Result.OK) == ["2 packages as locked, without conflicts"]


@pytest.mark.parametrize(
    ("packages", "wrong"),
    [
        ({"alpha": "1.0"}, "beta==2.5 is locked, which isn't installed"),
        ({"alpha": "1.1", "beta": "2.5"}, "alpha==1.0 is locked, but 1.1 is there"),
        ({"alpha": "1.0 beta>=3", "beta": "2.5"}, "alpha needs beta>=3, but 2.5 is there"),
        ({"alpha": "1.0 delta", "beta": "2.5"}, "alpha needs delta, which isn't installed"),
    ],
)
def test_a_package_that_is_missing_another_or_in_conflict_fails(lock, tmp_path, packages, wrong):
    assert told(dependencies(lock, installed(tmp_path, **packages)), Result.FAILED) == [wrong]


def test_without_a_lock_file_there_is_nothing_to_compare_with(tmp_path):
    assert "no requirements.lock" in told(dependencies(tmp_path / "requirements.lock"), Result.WARNING)[0]


def test_a_check_that_hangs_or_breaks_has_failed_and_the_others_are_told(tmp_path):
    import threading

    never = threading.Event()

    def breaks() -> list[Finding]:
        raise ValueError("a secret")

    def hangs() -> list[Finding]:
        never.wait(30)
        return []

    found = together({"hangs": hangs, "breaks": breaks, "is well": lambda: [ok("is well", "yes")]}, seconds=0.5)
    never.set()

    assert [(each.check, each.result) for each in found] == [
        ("hangs", Result.FAILED),
        ("breaks", Result.FAILED),
        ("is well", Result.OK),
    ]
    assert "no answer within" in found[0].found
    assert "secret" not in found[1].found
