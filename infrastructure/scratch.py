"""What an import remembers of each row of its file: in SQLite, in a temporary file that is gone when it is closed."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Self

import msgspec

_TABLES = """
CREATE TABLE seen (id TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE waiting (number INTEGER PRIMARY KEY, cells BLOB NOT NULL);
"""


class Scratch:
    """application.importing.running.Scratch over a private temporary database; memory holds a few megabytes of it."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(_TABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forgets everything."""
        self._database.close()

    def first_rows(self, ids: Sequence[tuple[str, int]]) -> dict[str, int]:
        """Notes in which row an id comes; for each the row in which it came first."""
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", ids)
        self._database.execute("COMMIT")
        return {id: self._first(id) for id, _ in ids}

    def defer(self, rows: Iterable[tuple[int, list[str]]]) -> None:
        """Keeps rows for later."""
        encoded = ((number, msgspec.json.encode(cells)) for number, cells in rows)
        self._database.executemany("INSERT OR REPLACE INTO waiting VALUES (?, ?)", encoded)

    def settle(self, numbers: Iterable[int]) -> None:
        """Forgets deferred rows."""
        self._database.executemany("DELETE FROM waiting WHERE number = ?", ((number,) for number in numbers))

    def deferred(self, after: int, limit: int) -> list[tuple[int, list[str]]]:
        """Deferred rows behind that number, in their order."""
        rows = self._database.execute(
            "SELECT number, cells FROM waiting WHERE number > ? ORDER BY number LIMIT ?", (after, limit)
        )
        return [(number, msgspec.json.decode(cells)) for number, cells in rows]

    def _first(self, id: str) -> int:
        row = self._database.execute("SELECT number FROM seen WHERE id = ?", (id,)).fetchone()
        return int(row[0])
