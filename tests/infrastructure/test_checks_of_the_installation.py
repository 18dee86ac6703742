"""What `verify services` says of settings, files and packages."""

import secrets
import shutil
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

from infrastructure.checks.installation import environment, invalid_environment
from infrastructure.checks.packages import dependencies
from infrastructure.checks.release import ROOT, SOURCES, files
from infrastructure.checks.together import together
from infrastructure.findings import Finding, Result, ok
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


def installed_by_pip(tree: Path) -> None:
    """Notes the files beside them, with their hashes, as pip does."""
    noted = tree / "clientforge-0.1.0.dist-info"
    noted.mkdir()
    (noted / "METADATA").write_text("Metadata-Version: 2.1\nName: clientforge\nVersion: 0.1.0\n")
    files = [each for each in tree.rglob("*") if each.is_file()]
    hashes = {each: urlsafe_b64encode(sha256(each.read_bytes()).digest()).decode().rstrip("=") for each in files}
    rows = [f"{each.relative_to(tree)},sha256={hash},{each.stat().st_size}\n" for each, hash in hashes.items()]
    (noted / "RECORD").write_text("".join([*rows, "api/__pycache__/app.cpython-311.pyc,,\n", "../../bin/x,,\n"]))


def cloned_by_git(tree: Path) -> None:
    for command in (["init", "--quiet"], ["add", "."]):
        subprocess.run(["git", *command], cwd=tree, check=True)


def copied(tree: Path) -> None:
    """There is no list of the files then, only what they say of one another."""


A_FILE_OF_EACH_KIND = (
    "api/app.py",
    "infrastructure/content_types.py",
    "projections/search.py",
    "api/page/page.css",
    "api/page/page.js",
    "api/page/links.js",
)


@pytest.mark.parametrize("made", [installed_by_pip, cloned_by_git, copied])
def test_a_file_that_is_missing_fails(tree, made: Callable[[Path], None]):
    made(tree)
    assert told(files(tree), Result.WARNING if made is copied else Result.OK)
    for name in A_FILE_OF_EACH_KIND:
        moved = (tree / name).rename(tree / "moved")
        assert told(files(tree), Result.FAILED) == [f"{name} is missing"]
        moved.rename(tree / name)


def test_a_gap_between_migrations_fails_also_where_nothing_lists_them(tree):
    assert "nothing here lists" in told(files(tree), Result.WARNING)[0]
    (tree / "infrastructure/migrations/0011-files.sql").unlink()
    assert told(files(tree), Result.FAILED) == ["infrastructure/migrations/0011-*.sql is missing"]


@pytest.mark.parametrize("made", [installed_by_pip, cloned_by_git])
def test_a_migration_is_missed_by_its_name_where_something_lists_them(tree, made):
    made(tree)
    names = sorted(each.name for each in (tree / "infrastructure/migrations").glob("*.sql"))
    for name in (names[0], names[-1]):
        (tree / "infrastructure/migrations" / name).unlink()
    assert told(files(tree), Result.FAILED) == [
        f"infrastructure/migrations/{name} is missing" for name in (names[0], names[-1])
    ]


def test_a_file_that_was_altered_after_it_was_installed_fails(tree):
    installed_by_pip(tree)
    (tree / "api/app.py").write_text("# nothing\n")
    assert told(files(tree), Result.FAILED) == ["api/app.py is not as it was installed"]


ALONE = """
import sys
sys.meta_path = [each for each in sys.meta_path if "editable" not in str(each)]  # it would find another checkout's
from api.commandline import main
main()
"""


def run_in(tree: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command line of a tree, of which only its own modules are found."""
    return subprocess.run(
        [sys.executable, "-c", ALONE, *arguments],
        env={"PYTHONPATH": str(tree), "DATABASE_URL": URL, "JWT_SECRET": JWT_SECRET, "MASTER_KEY": MASTER_KEY},
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", ["infrastructure/settings.py", "projections/search.py"])
def test_a_module_that_is_missing_is_a_line_of_the_table(tree, name):
    installed_by_pip(tree)
    (tree / name).unlink()
    ended = run_in(tree, "verify", "services")

    assert (ended.returncode, ended.stderr) == (1, "")
    assert f"modules                  failed   No module named '{name[:-3].replace('/', '.')}'" in ended.stdout
    assert f"file structure           failed   {name} is missing" in ended.stdout


def test_where_no_command_can_start_it_says_which_file_is_missing(tree):
    installed_by_pip(tree)
    (tree / "api/commandline/queue.py").unlink()
    ended = run_in(tree, "verify", "services")

    assert ended.returncode == 1
    assert ended.stderr.startswith("clientforge: cannot import name 'queue'")
    assert ended.stderr.endswith("\n  api/commandline/queue.py is missing\n")


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
        ({"alpha": "1.0", "beta": "2.5", "other": "1.0 alpha>=2"}, "other needs alpha>=2, but 1.0 is there"),
    ],
)
def test_a_package_that_is_missing_another_or_in_conflict_fails(lock, tmp_path, packages, wrong):
    assert told(dependencies(lock, installed(tmp_path, **packages)), Result.FAILED) == [wrong]


def test_the_lock_file_is_looked_for_beside_the_packages_as_the_image_has_it(tree):
    (tree / "requirements.lock").write_text("no-such-package==1.0 \\\n    --hash=sha256:00\n")
    command = "from infrastructure.checks.packages import dependencies; print(dependencies()[0].found)"
    ended = subprocess.run(
        [sys.executable, "-c", command],
        env={"PYTHONPATH": str(tree)},
        cwd=tree,
        capture_output=True,
        text=True,
        check=True,
    )

    assert ended.stdout == "no-such-package==1.0 is locked, which isn't installed\n"


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
