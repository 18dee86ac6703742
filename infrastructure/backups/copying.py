"""Rows as PostgreSQL copies them out and in: the binary format of COPY.

Its values are those of the binary wire protocol, which has not changed for the types in these tables, so that a
backup fits another major version. (PostgreSQL's documentation, COPY, Binary Format.)
"""

from collections.abc import Callable, Iterator, Sequence
from struct import Struct as Layout
from typing import BinaryIO

import psycopg
from psycopg import sql

from infrastructure.backups.flaws import BackupBroken

HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
_MOST_BYTES = 1 << 30

_COUNT = Layout("!h").unpack
_LENGTH = Layout("!i").unpack

Fields = list[bytes | None]


def copy_out(cursor: psycopg.Cursor, select: sql.Composed, write: Callable[[bytes], object]) -> int:
    """Passes on what a query finds, as rows without header and trailer. How many they are."""
    waiting, begun = b"", False
    with cursor.copy(sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(select)) as copy:
        for block in copy:
            waiting += block
            if not begun:
                if len(waiting) < len(HEADER):
                    continue
                waiting, begun = waiting[len(HEADER) :], True
            # The last two bytes may be the trailer.
            write(waiting[: -len(TRAILER)])
            waiting = waiting[-len(TRAILER) :]
    return cursor.rowcount


def table(name: str) -> sql.Identifier:
    """A table, perhaps with its schema, as an identifier."""
    return sql.Identifier(*name.split("."))


def columns_of(connection: psycopg.Connection, name: str) -> list[str]:
    """A table's columns, without generated ones, in their order."""
    rows = connection.execute(
        "SELECT attname FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
        (name,),
    )
    return [row[0] for row in rows]


def listed(columns: Sequence[str]) -> sql.Composed:
    """Columns between commas."""
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def rows(file: BinaryIO) -> Iterator[tuple[bytes, Fields]]:
    """Each row as its bytes, and as its fields. Raises BackupBroken for anything that isn't whole."""
    if _exactly(file, len(HEADER)) != HEADER:
        raise BackupBroken("it holds no rows of a table")
    while (head := _exactly(file, 2)) != TRAILER:
        parts, fields = [head], Fields()
        for _ in range(_COUNT(head)[0]):
            parts.append(length := _exactly(file, 4))
            size = _LENGTH(length)[0]
            if size < 0:
                fields.append(None)
                continue
            if size > _MOST_BYTES:
                raise BackupBroken("it holds a row that no table can hold")
            parts.append(field := _exactly(file, size))
            fields.append(field)
        yield b"".join(parts), fields


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise BackupBroken("it ends in the midst of a row")
    return data
