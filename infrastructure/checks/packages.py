"""The installed packages against the lock file, and against what each of them says that it needs."""

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infrastructure.checks.release import ROOT
from infrastructure.findings import Finding, failure, ok, warning

_NAME = "dependencies"
_TODO = "pip install --require-hashes -r requirements.lock, or make setup"
Installed = Mapping[str, Distribution]


def dependencies(
    lock: Path = ROOT / "requirements.lock", installed: Iterable[Distribution] | None = None
) -> list[Finding]:
    """Every locked package is there in its version, and none asks for another version of one that is there."""
    if not lock.is_file():
        return [warning(_NAME, f"there is no {lock.name} here to compare with", "compare where the image is built")]
    there = _by_name(distributions() if installed is None else installed)
    locked = list(_locked(lock))
    found = [failure(_NAME, each, _TODO) for each in (*_differences(locked, there), *_conflicts(there))]
    return found or [ok(_NAME, f"{len(locked)} packages as locked, without conflicts")]


def _by_name(found: Iterable[Distribution]) -> Installed:
    """The packages by name; the first of a name is the one that is imported."""
    there: dict[str, Distribution] = {}
    for each in found:
        there.setdefault(canonicalize_name(each.metadata["Name"]), each)
    return there


def _locked(lock: Path) -> Iterator[Requirement]:
    for line in lock.read_text(encoding="utf-8").splitlines():
        if line and not line[0].isspace() and not line.startswith("#"):
            requirement = Requirement(line.removesuffix("\\"))
            if requirement.marker is None or requirement.marker.evaluate():
                yield requirement


def _differences(locked: Iterable[Requirement], there: Installed) -> Iterator[str]:
    for each in locked:
        if flaw := _flaw(each, there):
            yield f"{each.name}{each.specifier} is locked, {flaw}"


def _conflicts(there: Installed) -> Iterator[str]:
    for name, package in there.items():
        for needed in map(Requirement, package.requires or ()):
            wanted = needed.marker is None or needed.marker.evaluate({"extra": ""})
            if wanted and (flaw := _flaw(needed, there)):
                yield f"{name} needs {needed.name}{needed.specifier}, {flaw}"


def _flaw(needed: Requirement, there: Installed) -> str | None:
    package = there.get(canonicalize_name(needed.name))
    if package is None:
        return "which isn't installed"
    return None if needed.specifier.contains(package.version, prereleases=True) else f"but {package.version} is there"
