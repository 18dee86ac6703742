"""One call of `append_events`: its arguments, column by column, and the typed conflicts that it may end with."""

import functools
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
        single = tuple(name for name, values in self._arrays.items() if len(values) == 1)
        several = tuple(name for name, values in self._arrays.items() if len(values) != 1)
        arguments = self._values | {
            name: values[0] if len(values) == 1 else values for name, values in self._arrays.items()
        }
        row = connection.execute(_sql(tuple(self._values), single, several), arguments).fetchone()
        if row is None:
            raise LookupError("append_events answered nothing")
        return row


_TYPES = {
    "streams": "text",
    "versions": "integer",
    "types": "text",
    "payloads": "bytea",
    "occurred_at": "timestamptz",
    "guard_streams": "text",
    "guard_versions": "integer",
    "claim_purposes": "text",
    "claim_hashes": "bytea",
    "claim_streams": "text",
    "release_purposes": "text",
    "release_hashes": "bytea",
    "release_streams": "text",
    "subjects": "uuid",
    "wrapped_keys": "bytea",
    "source_streams": "text",
    "sources": "text",
    "principals": "jsonb",
    "outcome": "jsonb",
    "metadata": "bytea",
}


@functools.lru_cache(maxsize=256)
def _sql(values: tuple[str, ...], single: tuple[str, ...], several: tuple[str, ...]) -> str:
    """The call with these arguments. An array of one is built by the server: its value alone is sent quicker."""
    places = [
        *(f"p_{name} => {_place(name)}" for name in values),
        *(f"p_{name} => ARRAY[{_place(name)}]" for name in single),
        *(f"p_{name} => {_place(name)}[]" for name in several),
    ]
    return f"SELECT * FROM append_events({', '.join(places)})"  # noqa: S608


def _place(name: str) -> str:
    kind = _TYPES.get(name)
    format = "b" if kind in ("bytea", "text") else "s"
    return f"%({name}){format}::{kind}" if kind else f"%({name}){format}"


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
