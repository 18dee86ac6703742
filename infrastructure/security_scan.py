"""What `clientforge security scan` looks at: the sources, what they depend on, and the system that runs.

Each check answers with findings, and never raises: what it can't look at is told as skipped, with the reason.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from infrastructure.checks.release import ROOT, SOURCES, tracked
from infrastructure.findings import Finding, Result, ok, skipped
from infrastructure.hardening import weaknesses
from infrastructure.secret_scan import secrets_in
from infrastructure.settings import Settings

_SECONDS = 120
_RULES = ("--isolated", "--target-version", "py311", "--select", "S", "--ignore", "S603")
"""Whatever the tree's own configuration says, or is broken. S603 finds every call of a program, whatever is passed."""
_HEADERS = {
    "content-security-policy": "default-src 'none'",
    "strict-transport-security": "max-age=",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def insecure_code(root: Path = ROOT) -> list[Finding]:
    """ruff's rules of flake8-bandit (S) over the sources."""
    name = "insecure code"
    there = [each for each in SOURCES if (root / each).is_dir()]
    answer = _run("ruff", "check", *_RULES, "--no-cache", "--output-format", "json", *there, place=root)
    if answer is None:
        return [skipped(name, "ruff isn't installed: it comes with the development dependencies")]
    try:
        found = json.loads(answer.stdout) if answer.returncode in (0, 1) else None
    except ValueError:
        found = None
    if found is None:
        said = answer.stderr.strip().rpartition("\n")[2]
        return [Finding(check=name, result=Result.FAILED, found=f"nothing is known: ruff failed with {said}")]
    return [
        Finding(
            check=name,
            result=Result.FAILED,
            found=f"{_place(each, root)} {each['code']} {each['message']}",
            todo="mend it, or say in the line why it is right",
        )
        for each in found
    ] or [ok(name, f"ruff's S rules find nothing in {len(there)} packages")]


def vulnerable_dependencies(root: Path = ROOT) -> list[Finding]:
    """The locked dependencies against the database of known vulnerabilities."""
    name = "vulnerable dependencies"
    lock = root / "requirements.lock"
    if not lock.is_file():
        return [skipped(name, "there is no requirements.lock here")]
    asked = ("-m", "pip_audit", "--requirement", str(lock), "--no-deps", "--disable-pip", "--format", "json")
    answer = _run(sys.executable, *asked, "--timeout", "10", "--progress-spinner", "off", place=root)
    if answer is None or "No module named pip_audit" in answer.stderr:
        return [skipped(name, "pip-audit isn't installed: it comes with the development dependencies")]
    try:
        told = json.loads(answer.stdout)["dependencies"]
    except (ValueError, KeyError):
        return [skipped(name, "the database of vulnerabilities could not be reached: nothing is known")]
    audited = [each for each in told if "skip_reason" not in each]
    if not audited:
        return [skipped(name, "the database of vulnerabilities knows none of the packages: it was not really reached")]
    unknown = [
        Finding(check=name, result=Result.WARNING, found=f"{each['name']}: {each['skip_reason']}")
        for each in told
        if "skip_reason" in each
    ]
    flaws = [
        Finding(
            check=name,
            result=Result.FAILED,
            found=f"{each['name']} {each['version']}: {flaw['id']}",
            todo=f"take {' or '.join(flaw['fix_versions']) or 'another package'}",
        )
        for each in audited
        for flaw in each["vulns"]
    ]
    return [*unknown, *(flaws or [ok(name, f"none known in {len(audited)} locked packages")])]


def secrets_in_the_tree(root: Path = ROOT) -> list[Finding]:
    """Keys and tokens in the files under version control, or in all of them where there is none."""
    return secrets_in(root, _files(root))


def settings_of(settings: Settings) -> list[Finding]:
    """What production would refuse to start with."""
    result = Result.FAILED if settings.environment == "production" else Result.WARNING
    return [
        Finding(check="settings", result=result, found=each, todo="production refuses to start with it")
        for each in weaknesses(settings)
    ] or [ok("settings", "production would start with them")]


def headers_of(url: str) -> list[Finding]:
    """The headers of a running server."""
    name = "headers"
    try:
        told = httpx.get(f"{url}/live", timeout=5).headers
    except httpx.HTTPError as error:
        return [skipped(name, f"nothing answers at {url}: {type(error).__name__}")]
    wrong = [header for header, value in _HEADERS.items() if value not in told.get(header, "")]
    return [
        Finding(check=name, result=Result.FAILED, found=f"{each} of {url} doesn't protect", todo="see docs/security.md")
        for each in wrong
    ] or [ok(name, f"{len(_HEADERS)} headers of {url} protect")]


def _place(flaw: Mapping[str, Any], root: Path) -> str:
    return f"{Path(flaw['filename']).relative_to(root)}:{flaw['location']['row']}"


def _files(root: Path) -> list[str]:
    return tracked(root) or sorted(
        str(each.relative_to(root)) for each in root.rglob("*") if each.is_file() and ".git" not in each.parts
    )


def _run(*command: str, place: Path) -> "subprocess.CompletedProcess[str] | None":
    """What a program says; None where it isn't there. One beside this Python counts first."""
    beside = Path(sys.executable).parent / command[0]
    program = str(beside) if beside.is_file() else command[0]
    try:
        return subprocess.run(
            [program, *command[1:]], cwd=place, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
