"""Secrets in the files of a tree: keys, tokens and passwords that a commit must never hold.

No comment hides a line from it. An example that looks like a secret is written in two pieces, or with a placeholder.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from infrastructure.findings import Finding, Result, ok, skipped

_CHECK = "secrets in the tree"
_DETECTORS = (
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "JwtTokenDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "SendGridDetector",
    "SlackDetector",
    "StripeDetector",
    "TwilioKeyDetector",
)
"""What looks like nothing else. Words such as 'password' would find this very line."""
_HIDING = (
    "detect_secrets.filters.allowlist.is_line_allowlisted",
    "detect_secrets.filters.heuristic.is_sequential_string",
    "detect_secrets.filters.heuristic.is_swagger_file",
    "detect_secrets.filters.heuristic.is_lock_file",
    "detect_secrets.filters.heuristic.is_non_text_file",
)
"""Filters of the library by which the words of a line, or the name of a file, say that there is nothing in it."""
_PLACEHOLDER = re.compile(r"(?:[A-Z_]+|[.…*]+|password|secret)\Z|[$%{<]")
"""What stands for a password in an example: PASSWORD, …, ${VARIABLE}, {field}."""

_OWN_TOKEN = re.compile(r"\bcf[a-z]_[A-Za-z0-9_-]{40,}")
_OWN_SETTING = re.compile(
    r"\b(?:JWT_SECRET(?:_PREVIOUS)?|MASTER_KEY|METRICS_TOKEN)\b[\"']?\s*[=:]\s*[\"']?(?P<value>[\w+/=-]{32,})"
)
_URL = re.compile(r"\b[a-z][a-z0-9+.]*://[^\s:/@\"'`]*:(?P<value>[^\s@\"'`]+)@[^\s/@\"'`]", re.IGNORECASE)
_ENV_FILE = re.compile(r"(?:^|/)(?:\.env(?:\..+)?|[^/]+\.env)$")
_ENV_SECRET = re.compile(
    r"^\s*(?:export\s+)?\w*(?:PASSWORD|PASSWD|SECRET|TOKEN|KEY|CREDENTIAL)\w*\s*=\s*[\"']?(?P<value>[^\s\"'#]+)",
    re.IGNORECASE,
)


def secrets_in(root: Path, files: list[str]) -> list[Finding]:
    """A finding for each line of these files, relative to `root`, that holds a secret. It doesn't tell the secret."""
    try:
        known = _detected(root, files)
    except ImportError:
        return [skipped(_CHECK, "detect-secrets isn't installed: it comes with the development dependencies")]
    own = {place for file in files for place in _own(root, file)}
    return [
        Finding(
            check=_CHECK,
            result=Result.FAILED,
            found=f"{file}:{line} {what}",
            todo="take it out, and replace it where it is used: it is known now",
        )
        for file, line, what in sorted(known | own)
    ] or [ok(_CHECK, f"none in {len(files)} files")]


def _detected(root: Path, files: list[str]) -> set[tuple[str, int, str]]:
    """What the library finds. Raises ImportError where it isn't installed."""
    from detect_secrets.core.secrets_collection import SecretsCollection  # noqa: PLC0415 - a development dependency
    from detect_secrets.settings import transient_settings  # noqa: PLC0415

    found = SecretsCollection(root=str(root))
    with transient_settings({"plugins_used": [{"name": each} for each in _DETECTORS]}) as settings:
        settings.disable_filters(*_HIDING)
        for file in files:
            found.scan_file(file)
    return {(file, secret.line_number, secret.type) for file, secret in found}


def _own(root: Path, file: str) -> Iterator[tuple[str, int, str]]:
    """What the library doesn't know or is too shy to tell."""
    path = root / file
    if not path.is_file():
        return
    patterns = [("ClientForge token", _OWN_TOKEN), ("ClientForge secret", _OWN_SETTING)]
    # Tests make up what they need, and the databases that they open are gone after them.
    patterns += [] if file.startswith("tests/") else [("password in a URL", _URL)]
    patterns += [("secret in an environment file", _ENV_SECRET)] if _ENV_FILE.search(file) else []
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        for what, pattern in patterns:
            match = pattern.search(line)
            if match and not _PLACEHOLDER.match(match.groupdict().get("value", "-")):
                yield file, number, what
