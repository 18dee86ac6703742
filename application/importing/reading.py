"""A CSV file, record by record. What is wrong with one of them is said of it, and the next one is read."""

import csv
import re
from collections import deque
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from msgspec import Struct

from application.importing.problems import FileUnreadable

MOST_LINES = 1_000
MOST_CHARACTERS = 1 << 20
_NOT_UTF8 = re.compile("[\ud800-\udfff]")


class Record(Struct, frozen=True, kw_only=True):
    """A row of the file. `number` counts as a spreadsheet does: the header is 1, blank rows count.

    `fault` says why its cells can't be used. A line that is no CSV is its only cell, as it stands in the file.
    """

    number: int
    cells: list[str]
    fault: str | None = None


class CsvFile:
    """An open CSV file in UTF-8, with or without a byte order mark. Raises FileUnreadable where it is none."""

    def __init__(self, path: Path, delimiter: str = ",") -> None:
        self.path = path
        self.delimiter = delimiter
        try:
            self.size = path.stat().st_size
            self._bytes = path.open("rb")
        except OSError as error:
            raise FileUnreadable(f"{path}: {error.strerror}") from error
        text = TextIOWrapper(self._bytes, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self._lines = _Lines(text)
        self._reader = csv.reader(self._lines, delimiter=delimiter, strict=True)
        try:
            self.header = self._read_header()
        except FileUnreadable:
            self._bytes.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends reading."""
        self._bytes.close()

    @property
    def position(self) -> int:
        """How many bytes were read, of `size`."""
        return min(self.size, self._bytes.tell())

    def records(self) -> Iterator[Record]:
        """The rows behind the header; blank ones are left out."""
        number = 1
        while True:
            number += 1
            self._lines.begin()
            try:
                cells = next(self._reader)
                if self._swallows(cells):
                    raise csv.Error(self._fault(cells))
            except StopIteration:
                return
            except csv.Error as error:
                yield self._broken(number, str(error).rstrip("."))
                continue
            if any(map(str.strip, cells)):
                yield Record(number=number, cells=cells, fault=self._fault(cells))

    def _broken(self, number: int, error: str) -> Record:
        """The first line of what can't be read; the lines behind it are read for themselves."""
        first, last = self._lines.give_back()
        line = self._lines.taken[0].rstrip("\r\n")
        reason = error if first == last else f"a quote in it is not closed properly up to line {last} ({error})"
        return Record(number=number, cells=[line], fault=f"Line {first} can't be read as CSV: {reason}.")

    def _swallows(self, cells: list[str]) -> bool:
        """Whether a quote that was left open runs on into whole rows, to where another one seems to close it."""
        columns = len(self.header)
        return columns > 1 and len(cells) != columns and any(map(self._is_row, self._lines.taken[1:]))

    def _is_row(self, line: str) -> bool:
        try:
            return len(next(csv.reader((line,), delimiter=self.delimiter, strict=True))) == len(self.header)
        except csv.Error:
            return False

    def _fault(self, cells: list[str]) -> str | None:
        if len(cells) != len(self.header):
            return f"The row has {len(cells)} cells, the header {len(self.header)}."
        for name, cell in zip(self.header, cells, strict=True):
            if byte := not_utf8(cell):
                return f"The cell in column '{name}' is not UTF-8 (byte 0x{byte:02X})."
        return None

    def _read_header(self) -> list[str]:
        if self._bytes.peek(2)[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise FileUnreadable(f"{self.path} is UTF-16: save it as UTF-8.")
        try:
            header = [cell.strip() for cell in next(self._reader)]
        except (StopIteration, csv.Error) as error:
            raise FileUnreadable(f"{self.path} has no header in its first row. {error}".strip()) from error
        if any(map(not_utf8, header)):
            raise FileUnreadable(f"{self.path}: the header (row 1) is not UTF-8: save the file as UTF-8.")
        if doubled := sorted({name for name in header if name and header.count(name) > 1}):
            raise FileUnreadable(f"{self.path}: the header (row 1) names a column twice: {', '.join(doubled)}.")
        return header


class _Lines:
    """The lines of a file, those of the record that is being read kept until the next one begins.

    A record that has no end within so many lines or characters is a csv.Error: memory stays within bounds.
    """

    def __init__(self, text: TextIO) -> None:
        self.taken: list[str] = []
        self._text = text
        self._again: deque[str] = deque()
        self._number = 0
        self._characters = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._read()
        if not line:
            raise StopIteration
        self._number += 1
        self.taken.append(line)
        self._characters += len(line)
        if len(self.taken) > MOST_LINES:
            raise csv.Error(f"more than {MOST_LINES:,} lines")
        if self._characters > MOST_CHARACTERS:
            raise csv.Error(f"more than {MOST_CHARACTERS:,} characters")
        return line

    def begin(self) -> None:
        """A record begins."""
        self.taken = []
        self._characters = 0

    def give_back(self) -> tuple[int, int]:
        """Lets all lines of the record but its first be read again; the numbers of its first and last line."""
        last = self._number
        self._again.extendleft(reversed(self.taken[1:]))
        self._number -= len(self.taken) - 1
        return self._number, last

    def _read(self) -> str:
        """A line, cut where it is longer than any record may be."""
        line = rest = self._text.readline(MOST_CHARACTERS + 1)
        while len(rest) > MOST_CHARACTERS and not rest.endswith(("\r", "\n")):
            rest = self._text.readline(MOST_CHARACTERS + 1)
        return line


def not_utf8(text: str) -> int | None:
    """The first byte of a text that wasn't UTF-8, None where all was."""
    found = None if text.isascii() else _NOT_UTF8.search(text)
    return ord(found.group()) & 0xFF if found else None
