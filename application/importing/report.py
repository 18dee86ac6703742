"""What an import reports: counts, and per row and column what was wrong, in memory that doesn't grow with the file."""

import csv
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, TextIO

import msgspec
from msgspec import structs

from application.importing.problems import Note, Problem
from application.importing.results import Fate

REASON = "reason"
_IN_MEMORY = 100_000


class Report:
    """Collects what becomes of the rows. `about` names file, kind, tenant and whether it is a dry run.

    Rejected rows go to the file `rejects`, in their original columns with the reasons behind.
    """

    def __init__(self, about: dict[str, Any], header: Sequence[str], delimiter: str, rejects: Path | None) -> None:
        self.counts: Counter[str] = Counter()
        self.made: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self._about = about
        self._rejects = _Rejects(rejects, header, delimiter) if rejects else None
        self._details = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
        self._started = time.monotonic()

    def read(self, rows: int) -> None:
        """So many rows were read."""
        self.counts["read"] += rows

    def became(self, fate: Fate, made: Sequence[str]) -> None:
        """A row went in, or was there already."""
        self.counts[fate] += 1
        self.made.update(made)

    def rejected(self, number: int, cells: Sequence[str], problems: Sequence[Problem]) -> None:
        """A row did not go in."""
        self.counts["rejected"] += 1
        self.reasons.update({f"{each.column or each.field or 'row'}: {each.code}" for each in problems})
        for problem in problems:
            self._detail({"row": number, **structs.asdict(problem)})
        if self._rejects:
            self._rejects.write(cells, " ".join(each.reason for each in problems))

    def noted(self, number: int, notes: Sequence[Note]) -> None:
        """A row went in otherwise than it says."""
        for note in notes:
            self.counts["noted"] += 1
            self._detail({"row": number, "code": "noted", **structs.asdict(note)})

    def summary(self) -> dict[str, Any]:
        """The counts."""
        names = ("read", *(fate for fate in Fate if fate is not Fate.WAITING), "noted")
        return {
            **self._about,
            **{str(name): self.counts[name] for name in names},
            "made_on_the_way": dict(self.made),
            "reasons": dict(self.reasons.most_common()),
            "rejected_rows": str(self._rejects.path) if self._rejects and self.counts["rejected"] else None,
            "seconds": round(time.monotonic() - self._started, 2),
        }

    def details(self) -> Iterator[dict[str, Any]]:
        """What was wrong and what was noted, row by row."""
        self._details.seek(0)
        for line in self._details:
            yield msgspec.json.decode(line)

    def close(self) -> None:
        """Ends the file of rejected rows, and forgets the details."""
        self._details.close()
        if self._rejects:
            self._rejects.close()

    def _detail(self, detail: dict[str, Any]) -> None:
        self._details.write(msgspec.json.encode({k: v for k, v in detail.items() if v is not None}) + b"\n")


class _Rejects:
    """The file of rejected rows, which can be mended and imported; there is none while no row was rejected."""

    def __init__(self, path: Path, header: Sequence[str], delimiter: str) -> None:
        self.path = path
        self._width = len(header)
        self._columns = [*header] if REASON in header else [*header, REASON]
        self._reason = self._columns.index(REASON)
        self._delimiter = delimiter
        self._file: TextIO | None = None
        path.unlink(missing_ok=True)

    def write(self, cells: Sequence[str], reason: str) -> None:
        """Adds a row; cells that the header has no columns for stand behind the reason."""
        if self._file is None:
            self._file = self.path.open("w", encoding="utf-8", errors="surrogateescape", newline="")
            self._writer = csv.writer(self._file, delimiter=self._delimiter)
            self._writer.writerow(self._columns)
        row = [*cells, *[""] * (self._width - len(cells))]
        if len(cells) > self._width or self._reason == self._width:
            row.insert(self._reason, reason)
        else:
            row[self._reason] = reason
        self._writer.writerow(row)

    def close(self) -> None:
        """Ends the file."""
        if self._file:
            self._file.close()
