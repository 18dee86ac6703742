"""One call of `append_events`: its arguments, column by column, and the typed conflicts that it may end with."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
import psycopg

from application.ports import (
    Append,
    ClaimConflict,
    Conflict,
    GuardConflict,
    IdempotencyConflict,
    VersionConflict,
)
from infrastructure.postgres import Connection


class FutureEvent(Conflict):
    """An event would have happened after it is recorded."""


class KeyExists(Conflict):
    """A new stream's subject has a key already: the stream was removed, or its id was used before."""


class AppendCall:
    """The arguments of `append_events`, collected column by column."""

    def __init__(self, tenant: UUID, metadata: bytes) -> None:
        self._values: dict[str, Any] = {"tenant": tenant, "metadata": metadata}
        self._arrays: dict[str, list[Any]] = {"streams": [], "versions": [], "types": [], "payloads": []}

    def event(self, stream: str, version: int, type: str, payload: bytes) -> None:
        """Adds an event."""
        self.add(streams=stream, versions=version, types=type, payloads=payload)

    def add(self, **columns: Any) -> None:
        """Adds one value to each of the named array arguments."""
        for name, value in columns.items():
            self._arrays.setdefault(name, []).append(value)

    def set(self, **values: Any) -> None:
        """Sets arguments that are no arrays."""
        self._values.update(values)

    @property
    def last(self) -> tuple[str, int, bytes]:
        """Stream, version and payload of the last event."""
        return self._arrays["streams"][-1], self._arrays["versions"][-1], self._arrays["payloads"][-1]

    def run(self, connection: Connection) -> dict[str, Any]:
        """Appends in one round trip. Raises psycopg's errors with the SQLSTATEs CF001 to CF006."""
        sql, arguments = self._one() if self._is_one() else self._all()
        row = connection.execute(sql, arguments).fetchone()
        if row is None:
            raise LookupError("nothing was answered")
        return row

    def _is_one(self) -> bool:
        """Whether this is one event, and at most its subject's key beside it."""
        return (
            len(self._arrays["streams"]) == 1
            and len(self._values) == 2
            and self._arrays.keys() <= _OF_ONE.keys()
            and len(self._arrays.get("subjects", ())) <= 1
        )

    def _one(self) -> tuple[str, Sequence[Any]]:
        values = self._arrays
        arguments = [*self._values.values(), *(values[name][0] if name in values else None for name in _OF_ONE)]
        return _APPEND_ONE, arguments

    def _all(self) -> tuple[str, Mapping[str, Any]]:
        arguments = self._values | self._arrays
        return _append_all(frozenset(arguments)), arguments


_OF_ONE = dict.fromkeys(("streams", "versions", "types", "payloads", "occurred_at", "subjects", "wrapped_keys"))
_APPEND_ONE = "SELECT *, NULL AS replayed FROM append_event(%s, %b, %s, %s, %s, %b, %s, %s, %b)"

_ARGUMENTS = {
    "tenant": "uuid",
    "metadata": "bytea",
    "streams": "text[]",
    "versions": "integer[]",
    "types": "text[]",
    "payloads": "bytea[]",
    "occurred_at": "timestamptz[]",
    "guard_streams": "text[]",
    "guard_versions": "integer[]",
    "claim_purposes": "text[]",
    "claim_hashes": "bytea[]",
    "claim_streams": "text[]",
    "release_purposes": "text[]",
    "release_hashes": "bytea[]",
    "release_streams": "text[]",
    "subjects": "uuid[]",
    "wrapped_keys": "bytea[]",
    "principals": "jsonb",
    "source_streams": "text[]",
    "sources": "text[]",
    "actor": "text",
    "idempotency_key": "text",
    "request_hash": "bytea",
    "outcome": "jsonb",
}
"""Of append_events, in their order: by name they would cost the server more, and so would defaults."""


@functools.lru_cache(maxsize=256)
def _append_all(given: frozenset[str]) -> str:
    places = (
        f"%({name}){'b' if kind.startswith(('bytea', 'text')) else 's'}::{kind}" if name in given else "NULL"
        for name, kind in _ARGUMENTS.items()
    )
    return f"SELECT * FROM append_events({', '.join(places)})"  # noqa: S608


def conflict(error: psycopg.Error, append: Append) -> Exception:
    """The typed conflict that a custom SQLSTATE stands for, or the error itself."""
    if error.sqlstate is None or not error.sqlstate.startswith("CF"):
        return error
    detail = msgspec.json.decode(error.diag.message_detail or "{}")
    match error.sqlstate:
        case "CF001":
            row = _row_of_event(append, detail["index"])
            return VersionConflict(detail["stream"], detail["version"], row=row)
        case "CF002":
            return GuardConflict(detail["stream"], detail["expected"], detail["actual"])
        case "CF003":
            claims = [(claim, change) for change in append.changes for claim in change.acquire]
            claim, change = claims[detail["index"]]
            return ClaimConflict(claim, detail["holder"], row=change.row)
        case "CF004":
            return IdempotencyConflict("this idempotency key was used for another request")
        case "CF005":
            return KeyExists("a subject has a key already")
        case _:
            return FutureEvent(
                f"{detail['stream']} would have an event in the future", row=_row_of_event(append, detail["index"])
            )


def _row_of_event(append: Append, index: int) -> int | None:
    rows = [change.row for change in append.changes for _ in change.events]
    return rows[index] if index < len(rows) else None
