"""The files of this release: all of them are there, and as they were released.

It imports next to nothing: whatever else is missing, this can tell.
"""

import csv
import re
import shutil
import subprocess
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path

from infrastructure.findings import Finding, Result, failure, ok, warning

ROOT = Path(__file__).parent.parent.parent
SOURCES = ("domain", "application", "projections", "infrastructure", "api")
_NAME, _TODO = "file structure", "install this release anew"
_IMPORT = re.compile(rf"^\s*from ((?:{'|'.join(SOURCES)})\b[\w.]*) import ", re.MULTILINE)
_PAGE = re.compile(r'"([\w-]+\.(?:css|html|js))"')
_NO_MIGRATION = 6
"""A number that was never given."""


def files(root: Path = ROOT, secrets: Sequence[Path] = ()) -> list[Finding]:
    """The files of this release are there, and files with secrets are their owner's alone."""
    found = [*_of_the_release(root), *_open(secrets)]
    return [each for each in found if each.result != Result.OK] or found


def tracked(root: Path, *below: str) -> list[str]:
    """The files that git tracks here, or below these directories of it; none where there is no git."""
    git = shutil.which("git")
    if git is None:
        return []
    command = [git, "ls-files", "-z", "--", *below]
    told = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return [each for each in told.stdout.split("\0") if each]


def _of_the_release(root: Path) -> list[Finding]:
    """Against what pip noted when it installed them, or else what git tracks, or else what the code itself names."""
    if hashes := _noted(root):
        found = [*_missing(root, hashes), *_altered(root, hashes)]
        return found or [ok(_NAME, f"all {len(hashes)} files are there in {root}, as they were installed")]
    if names := tracked(root, *SOURCES):
        return _missing(root, names) or [ok(_NAME, f"all {len(names)} files that git tracks are there in {root}")]
    told = f"nothing here lists the files of this release: only what the code in {root} names was looked for"
    return _missing(root, sorted(set(_named(root)))) or [
        warning(_NAME, told, "install a wheel, or clone the repository")
    ]


def _noted(root: Path) -> dict[str, str]:
    """The hashes of the sources by their names. None of a checkout: pip notes no sources of it."""
    sources = tuple(f"{each}/" for each in SOURCES)
    for installed in distributions(name="clientforge", path=[str(root)]):
        rows = csv.reader((installed.read_text("RECORD") or "").splitlines())
        if hashes := {name: hash for name, hash, _ in rows if hash and name.startswith(sources)}:
            return hashes
    return {}


def _named(root: Path) -> Iterator[str]:
    """What modules import, the parts of pages, and each migration up to the last."""
    for source in (each for package in SOURCES for each in (root / package).rglob("*.py")):
        text = source.read_text(encoding="utf-8")
        for module in _IMPORT.findall(text):
            path = module.replace(".", "/")
            yield f"{path}/__init__.py" if (root / path).is_dir() else f"{path}.py"
        if source.parent == root / "api":
            yield from (f"api/page/{name}" for name in _PAGE.findall(text))
    directory = root / "infrastructure" / "migrations"
    there = {int(each.name[:4]): each.name for each in directory.glob("[0-9][0-9][0-9][0-9]-*.sql")}
    for number in range(1, max(there, default=1) + 1):
        if number != _NO_MIGRATION:
            yield f"infrastructure/migrations/{there.get(number, f'{number:04}-*.sql')}"


def _missing(root: Path, names: Iterable[str]) -> list[Finding]:
    return [failure(_NAME, f"{name} is missing", _TODO) for name in names if not (root / name).is_file()]


def _altered(root: Path, hashes: Mapping[str, str]) -> list[Finding]:
    there = ((root / name, name, hash) for name, hash in hashes.items())
    return [
        failure(_NAME, f"{name} is not as it was installed", _TODO)
        for file, name, hash in there
        if file.is_file() and _hash(file) != hash
    ]


def _hash(file: Path) -> str:
    """As the standard of wheels writes it."""
    return "sha256=" + urlsafe_b64encode(sha256(file.read_bytes()).digest()).decode().rstrip("=")


def _open(secrets: Sequence[Path]) -> list[Finding]:
    return [
        warning(_NAME, f"{file} can be read by other accounts", f"chmod 600 {file}")
        for file in secrets
        if file.is_file() and file.stat().st_mode & 0o077
    ]
