"""The logs of a system on one machine: a file for each process, which begins anew when it is full."""

import json
import math
import re
import time
from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from logging import INFO, LogRecord
from logging.handlers import RotatingFileHandler
from os import SEEK_END, fstat
from pathlib import Path
from typing import IO, Any, TextIO

from msgspec import Struct

MOST_BYTES = 20_000_000
OLD_FILES = 4
LEVELS = ("debug", "info", "warning", "error", "critical")

Line = dict[str, Any]
"""A line of a log: what JSON holds of it, or its `message` alone, with its `process`."""


class _QuietFile(RotatingFileHandler):
    def handleError(self, record: LogRecord) -> None:  # noqa: N802
        """Says nothing: what could not be written is lost."""


class LogFiles:
    """Writes lines to the files of a directory. A full disk loses lines, and holds nobody up."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[str, RotatingFileHandler] = {}

    def write(self, name: str, line: str) -> None:
        """Adds a line of a process to its file."""
        if name not in self._files:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._directory / f"{name}.log"
            file = _QuietFile(path, maxBytes=MOST_BYTES, backupCount=OLD_FILES, encoding="utf-8", delay=True)
            self._files[name] = file
        self._files[name].emit(LogRecord(name, INFO, "", 0, line, None, None))

    def close(self) -> None:
        """Closes the files."""
        for file in self._files.values():
            file.close()


class Wanted(Struct, frozen=True, kw_only=True):
    """Which lines: at least of this level, with these ids, alone or among several, not before `since` (as the lines
    write it), and with `text` somewhere in them."""

    level: str = "debug"
    ids: dict[str, str] = {}
    since: str = ""
    text: str = ""

    def holds(self, line: Line) -> bool:
        """Whether a line is one of them. A line that isn't JSON has no level: it is there for every one."""
        level = line.get("level", "critical")
        return (
            (level not in LEVELS or LEVELS.index(level) >= LEVELS.index(self.level))
            and all(_is_of(line, name, value) for name, value in self.ids.items())
            and line.get("time", "9") >= self.since
            and self.text.casefold() in json.dumps(line, ensure_ascii=False).casefold()
        )


def _is_of(line: Line, name: str, value: str) -> bool:
    """Whether a line has an id: as its `request`, say, or among the `requests` of a batch."""
    several = line.get(f"{name}s")
    return str(line.get(name, "")) == value or (isinstance(several, list) and value in several)


def parsed(process: str, line: str) -> Line:
    """A line as it was written."""
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    return {"process": process, **(found if isinstance(found, dict) else {"message": line})}


Ends = dict[str, TextIO]
"""Files that are written to, by name, opened where they ended at one moment."""


def read(paths: Iterable[Path], ends: Ends | None = None) -> Iterator[Line]:
    """All lines of log files, in the order of their times; one without takes that of the line before it. With `ends`,
    what was written since that moment is left out: it is to be followed."""
    until = None if ends is None else {_inode(file): file.tell() for file in ends.values()}
    return (line for _, line in merge(*(_dated(path, until) for path in paths), key=lambda dated: dated[0]))


def files(directory: Path, process: str | None = None) -> list[Path]:
    """The log files in a directory, of one process or all, the oldest of each first."""
    found = [path for path in directory.glob(f"{process or '*'}.log*") if _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: (path.name.split(".")[0], -int(path.suffix[1:].replace("log", "0"))))


def ends_of(directory: Path, process: str | None = None) -> Ends:
    """Where the files end now, for `followed`, which closes them."""
    ends: Ends = {path.name: path.open(encoding="utf-8", errors="replace") for path in _newest(directory, process)}
    for file in ends.values():
        file.seek(0, SEEK_END)
    return ends


def followed(directory: Path, process: str | None, stop: Callable[[], bool], ends: Ends) -> Iterator[Line]:
    """Lines that are written behind `ends`, also to files that begin anew, until `stop()`."""
    try:
        while not stop():
            idle = True
            for path in _newest(directory, process):
                for line in _grown(path, ends):
                    idle = False
                    yield parsed(path.stem, line)
            if idle:
                time.sleep(0.2)
    finally:
        for file in ends.values():
            file.close()


_NAME = re.compile(r"[a-z]+\.log(\.[0-9]+)?")


def _newest(directory: Path, process: str | None) -> list[Path]:
    return [path for path in files(directory, process) if path.suffix == ".log"]


def _grown(path: Path, open_files: Ends) -> Iterator[str]:
    """The whole lines that a file has got since the last look, and then those of the file that took its place."""
    file = open_files.get(path.name)
    if file is not None:
        yield from _lines(file)
        if path.stat().st_ino == _inode(file):
            return
        file.close()
    file = open_files[path.name] = path.open(encoding="utf-8", errors="replace")
    yield from _lines(file)


def _lines(file: TextIO) -> Iterator[str]:
    while line := file.readline():
        if not line.endswith("\n"):
            file.seek(file.tell() - len(line.encode()))
            return
        yield line.rstrip("\n")


def _inode(file: IO[Any]) -> int:
    return fstat(file.fileno()).st_ino


def _dated(path: Path, until: dict[int, int] | None) -> Iterator[tuple[str, Line]]:
    last = ""
    with path.open("rb") as file:
        left = math.inf
        if until is not None and (path.suffix == ".log" or _inode(file) in until):
            left = until.get(_inode(file), 0)
        for text in file:
            if left <= 0:
                return
            left -= len(text)
            line = parsed(path.name.split(".")[0], text.decode("utf-8", "replace").rstrip("\r\n"))
            last = str(line.get("time", last))
            yield last, line
