"""A CSV file, record by record. What is wrong with one of them is said of it, and the next one is read."""

import csv
import re
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec import Struct

from application.importing.problems import FileUnreadable

_NOT_UTF8 = re.compile("[\ud800-\udfff]")


class Record(Struct, frozen=True, kw_only=True):
    """A row of the file. `number` counts as a spreadsheet does: the header is 1, blank rows count.

    `fault` says why its cells can't be used.
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
        self._reader = csv.reader(text, delimiter=delimiter, strict=True)
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
            line = self._reader.line_num + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                last = self._reader.line_num
                where = f"Line {line}" if last <= line else f"Lines {line} to {last}"
                yield Record(number=number, cells=[], fault=f"{where} can't be read as CSV: {error}.")
                continue
            if any(map(str.strip, cells)):
                yield Record(number=number, cells=cells, fault=self._fault(cells))

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


def not_utf8(text: str) -> int | None:
    """The first byte of a text that wasn't UTF-8, None where all was."""
    found = None if text.isascii() else _NOT_UTF8.search(text)
    return ord(found.group()) & 0xFF if found else None
