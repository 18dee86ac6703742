"""What is downloaded or built once and used by every test run: ~/.cache/clientforge, or $CLIENTFORGE_CACHE."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.services.availability import Unavailable

SECONDS_BETWEEN_LINES = 5


def cache_directory() -> Path:
    given = os.environ.get("CLIENTFORGE_CACHE")
    general = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = Path(given) if given else general / "clientforge"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def cached(name: str, sources: Iterable[Path], build: Callable[[Path], None]) -> Path:
    """The directory that `build` has filled from `sources`; it is built anew only when one of them has changed.

    Runs at the same time wait for the first one's result. What a killed run has left half done is never used.
    """
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    built = cache_directory() / f"{name}-{digest.hexdigest()[:16]}"
    with _locked(built.with_name(f"{name}.lock")):
        if not built.exists():
            for leftover in built.parent.glob(f"{name}.unfinished-*"):
                shutil.rmtree(leftover)
            unfinished = Path(tempfile.mkdtemp(prefix=f"{name}.unfinished-", dir=built.parent))
            unfinished.chmod(0o755)
            try:
                build(unfinished)
                unfinished.rename(built)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    return built


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run_showing_progress(
    what: str,
    command: Sequence[str | Path],
    *,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a command that takes long; a line every few seconds says that it lives. Raises Unavailable when it fails."""
    say(f"{what} …")
    started = said = time.monotonic()
    output: list[str] = []
    with subprocess.Popen(
        [*map(str, command)],
        cwd=directory,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            output.append(line.rstrip())
            if time.monotonic() - said > SECONDS_BETWEEN_LINES:
                said = time.monotonic()
                say(f"  {said - started:.0f} s: {len(output)} steps")
    if process.returncode != 0:
        raise Unavailable(f"{what} failed ({command[0]} exited with {process.returncode}):\n" + "\n".join(output[-15:]))
    say(f"  done in {time.monotonic() - started:.0f} s")


def say(line: str) -> None:
    """Print a line about preparations, at once."""
    print(line, file=sys.stderr, flush=True)
