"""Statements that go to PostgreSQL in one round trip, through libpq's pipeline.

psycopg's own pipeline and cursors cost several times what such a statement does. Its adapters are used as they are.
"""

import functools
import itertools
import re
import select
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import psycopg
from psycopg import abc, pq
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.rows import DictRow

Connection = psycopg.Connection[DictRow]

_PLACEHOLDER = re.compile(r"%(?:%|\((\w+)\)([sbt]))")
_MOST_PREPARED = 250
"""Statements of a connection: what filters put together has no end."""
_OUTDATED = frozenset({"0A000", "26000"})
"""A prepared statement's result has other columns now, or the server doesn't know it."""


class _Command:
    """A statement as the protocol has it. `uses` counts how often it came."""

    def __init__(self, sql: str) -> None:
        places: dict[tuple[str, str], int] = {}

        def place(found: re.Match[str]) -> str:
            if found[1] is None:
                return "%"
            return f"${places.setdefault((found[1], found[2]), len(places) + 1)}"

        self.text = _PLACEHOLDER.sub(place, sql).encode()
        self.names = [name for name, _ in places]
        self.formats = [PyFormat(format) for _, format in places]
        self.uses = 0


_command = functools.lru_cache(maxsize=2000)(_Command)


class Bound(NamedTuple):
    """A statement with its values, as they are sent."""

    command: _Command
    values: Sequence[abc.Buffer | None]
    types: tuple[int, ...]
    formats: Sequence[pq.Format]
    preparable: bool


def bound(connection: Connection, sql: str, values: Mapping[str, Any], *, preparable: bool = True) -> Bound:
    """SQL with placeholders as psycopg has them (`%(name)s`, or `b` for binary), and the values of their names, or
    more. Raises psycopg.Error for a value that can't be sent."""
    command = _command(sql)
    if not command.names:
        return Bound(command, (), (), (), preparable)
    adapting: abc.Transformer = Transformer(connection)
    given = adapting.dump_sequence([values[name] for name in command.names], command.formats)
    return Bound(command, given, tuple(adapting.types or ()), adapting.formats or (), preparable)


_Prepared = dict[tuple[bytes, tuple[int, ...]], bytes]
_prepared: WeakKeyDictionary[Connection, _Prepared] = WeakKeyDictionary()
_numbers = itertools.count()


def ask(
    connection: Connection, statements: Sequence[Bound], *, prepare_threshold: int | None
) -> list[list[dict[str, Any]]]:
    """The rows of each statement, as dictionaries. What comes more often than `prepare_threshold` is prepared.

    Raises psycopg.Error for the first that fails; those behind it are not run, those before it are as they are: begin
    a transaction with them. A connection that is left in the middle is closed.
    """
    pgconn = connection.pgconn
    known = _prepared.setdefault(connection, {})
    new: _Prepared = {}
    asked: list[bool] = []
    answered = False
    pgconn.enter_pipeline_mode()
    try:
        for each in statements:
            asked += _send(pgconn, each, known, new, prepare_threshold)
        pgconn.pipeline_sync()
        _flush(pgconn)
        results = list(_results(pgconn))
        pgconn.exit_pipeline_mode()
        answered = True
    finally:
        if not answered:
            connection.close()
    for result in results:
        if result.status == ExecStatus.FATAL_ERROR:
            error = error_from_result(result)
            if error.sqlstate in _OUTDATED:
                known.clear()
            raise error
    known.update(new)
    adapting: abc.Transformer = Transformer(connection)
    return [_rows(adapting, result) for result, is_asked in zip(results, asked, strict=True) if is_asked]


def _send(
    pgconn: PGconn, statement: Bound, known: _Prepared, new: _Prepared, prepare_threshold: int | None
) -> Sequence[bool]:
    """Sends a statement, prepared or not; for each result that will come, whether its rows are asked for."""
    command, values, types, formats, preparable = statement
    command.uses += 1
    if prepare_threshold is not None and preparable:
        key = (command.text, types)
        name = known.get(key) or new.get(key)
        if name is not None:
            pgconn.send_query_prepared(name, values, formats)
            return (True,)
        if command.uses > prepare_threshold and len(known) + len(new) < _MOST_PREPARED:
            # No name comes a second time: what failed may be there all the same.
            name = new[key] = b"clientforge_%d" % next(_numbers)
            pgconn.send_prepare(name, command.text, types)
            pgconn.send_query_prepared(name, values, formats)
            return (False, True)
    pgconn.send_query_params(command.text, values, types, formats)
    return (True,)


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
