"""Statements that go to PostgreSQL in one round trip, through libpq's pipeline.

psycopg's own pipeline and cursors cost several times what such a statement does. Its adapters are used as they are.
"""

import functools
import itertools
import re
import select
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

import psycopg
from psycopg import abc, pq
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.rows import DictRow

_PLACEHOLDER = re.compile(r"%(?:%|\((\w+)\)([sbt]))")
_MOST_PREPARED = 250
"""Statements of a connection; further ones are never prepared, for what filters put together has no end."""

_Types = tuple[int, ...]
_Key = tuple[bytes, _Types]


class Connection(psycopg.Connection[DictRow]):
    """A connection that remembers what it has prepared: what came more often than `threshold`, unless that is None.

    psycopg may prepare nothing itself on it: it deallocates everything after a rollback.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.threshold: int | None = None
        self.prepared: dict[_Key, bytes] = {}
        self.made = time.monotonic()


def is_outdated(error: BaseException) -> bool:
    """Whether the server has lost a prepared statement, or its result has other columns since a migration."""
    if not isinstance(error, psycopg.Error):
        return False
    if error.sqlstate == "0A000":
        return error.diag.source_function == "RevalidateCachedQuery"
    return error.sqlstate == "26000"


class _Command:
    """A statement as the protocol has it. `uses` counts how often it came with values of these types."""

    def __init__(self, sql: str) -> None:
        places: dict[tuple[str, str], int] = {}

        def place(found: re.Match[str]) -> str:
            if found[1] is None:
                return "%"
            return f"${places.setdefault((found[1], found[2]), len(places) + 1)}"

        self.text = _PLACEHOLDER.sub(place, sql).encode()
        self.names = [name for name, _ in places]
        self.formats = [PyFormat(format) for _, format in places]
        self.uses: Counter[_Types] = Counter()


_command = functools.lru_cache(maxsize=2000)(_Command)
_numbers = itertools.count()


class Bound(NamedTuple):
    """A statement with its values, as they are sent."""

    command: _Command
    values: Sequence[abc.Buffer | None]
    types: _Types
    formats: Sequence[pq.Format]
    preparable: bool


def bound(connection: Connection, sql: str, values: Mapping[str, Any], *, preparable: bool = True) -> Bound:
    """SQL with placeholders as psycopg has them (`%(name)s`, or `b` for binary), and the values of their names, or
    more. They go to the server beside the SQL: where it can't tell a type from what surrounds them, cast them.

    Raises psycopg.Error for a value that can't be sent.
    """
    command = _command(sql)
    if not command.names:  # such as BEGIN, which has no plan
        return Bound(command, (), (), (), preparable=False)
    adapting: abc.Transformer = Transformer(connection)
    given = adapting.dump_sequence([values[name] for name in command.names], command.formats)
    return Bound(command, given, tuple(adapting.types or ()), adapting.formats or (), preparable)


def ask(connection: Connection, statements: Sequence[Bound]) -> list[list[dict[str, Any]]]:
    """The rows of each statement, as dictionaries.

    Raises psycopg.Error for the first that fails; those behind it are not run. They are one transaction, which is
    committed behind the last of them, unless they begin or go on with one that is said to be. A connection that is left
    in the middle is closed.
    """
    pgconn = connection.pgconn
    new: dict[_Key, bytes] = {}
    preparing: list[_Key | None] = []
    answered = False
    try:
        pgconn.enter_pipeline_mode()
        for each in statements:
            preparing += _send(connection, each, new)
        pgconn.pipeline_sync()
        _flush(pgconn)
        results = list(_results(pgconn))
        pgconn.exit_pipeline_mode()
        answered = True
    finally:
        if not answered:
            connection.close()
    rows = []
    adapting: abc.Transformer = Transformer(connection)
    for result, key in zip_longest(results, preparing):  # one more when the commit fails
        if result.status == ExecStatus.FATAL_ERROR:
            error = error_from_result(result)
            if is_outdated(error):
                connection.prepared.clear()
            raise error
        if key is None:
            rows.append(_rows(adapting, result))
        else:
            connection.prepared[key] = new[key]
    return rows


def _send(connection: Connection, statement: Bound, new: dict[_Key, bytes]) -> Sequence[_Key | None]:
    """Sends a statement; for each result that will come, what it prepares, or None where it is the statement's own."""
    command, values, types, formats, preparable = statement
    pgconn, prepared = connection.pgconn, connection.prepared
    if connection.threshold is not None and preparable:
        key = (command.text, types)
        command.uses[types] += 1
        name = prepared.get(key) or new.get(key)
        if name is not None:
            pgconn.send_query_prepared(name, values, formats)
            return (None,)
        if command.uses[types] > connection.threshold and len(prepared) + len(new) < _MOST_PREPARED:
            name = new[key] = b"clientforge_%d" % next(_numbers)  # never twice: what failed may be there all the same
            pgconn.send_prepare(name, command.text, types)
            pgconn.send_query_prepared(name, values, formats)
            return (key, None)
    pgconn.send_query_params(command.text, values, types, formats)
    return (None,)


def _flush(pgconn: PGconn) -> None:
    """Sends all, and takes in what the server answers meanwhile: it may not read on before."""
    while pgconn.flush():
        if _wait(pgconn, select.POLLIN | select.POLLOUT) & select.POLLIN:
            pgconn.consume_input()


def _results(pgconn: PGconn) -> Iterator[PGresult]:
    while True:
        while pgconn.is_busy():
            _wait(pgconn, select.POLLIN)
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            if pgconn.status != ConnStatus.OK:
                raise psycopg.OperationalError(pgconn.get_error_message())
        elif result.status == ExecStatus.PIPELINE_SYNC:
            return
        else:
            yield result


def _wait(pgconn: PGconn, events: int) -> int:
    """Waits for the server, with other threads going on; which of the events came."""
    poll = select.poll()
    poll.register(pgconn.socket, events)
    return poll.poll()[0][1]


def _rows(adapting: abc.Transformer, result: PGresult) -> list[dict[str, Any]]:
    if result.status != ExecStatus.TUPLES_OK:
        return []
    adapting.set_pgresult(result)
    names = [(result.fname(column) or b"").decode() for column in range(result.nfields)]
    rows = adapting.load_rows(0, result.ntuples, tuple)
    return [dict(zip(names, row, strict=True)) for row in rows]
