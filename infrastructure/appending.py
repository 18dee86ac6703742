"""One call of `append_event` or `append_events`: its arguments, and the typed conflicts that it may end with."""

import functools
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format

from application.ports import (
    Append,
    ClaimConflict,
    Conflict,
    GuardConflict,
    IdempotencyConflict,
    LastAdminConflict,
    UserLimitConflict,
    VersionConflict,
)
from infrastructure.round_trip import Connection, ask, bound


class FutureEvent(Conflict):
    """An event would have happened after it is recorded."""


class KeyExists(Conflict):
    """A new stream's subject has a key already: the stream was removed, or its id was used before."""


class AppendCall:
    """The arguments of an append, collected column by column."""

    def __init__(self, tenant: UUID, metadata: bytes) -> None:
        self._tenant = tenant
        self._metadata = metadata
        self._streams: list[str] = []
        self._versions: list[int] = []
        self._types: list[str] = []
        self._payloads: list[bytes] = []
        self._occurred_at: list[datetime | None] = []
        self._keys: list[tuple[UUID, bytes]] = []
        self._without_api_keys: list[UUID] = []
        self._others: dict[str, Any] = {}

    def event(self, stream: str, version: int, type: str, payload: bytes, occurred_at: datetime | None = None) -> None:
        """Adds an event."""
        self._streams.append(stream)
        self._versions.append(version)
        self._types.append(type)
        self._payloads.append(payload)
        self._occurred_at.append(occurred_at)

    def key(self, subject: UUID, wrapped: bytes) -> None:
        """Adds a subject's new key."""
        self._keys.append((subject, wrapped))

    def end_api_keys(self, user: UUID) -> None:
        """Has a user's API keys end in the append's own transaction."""
        self._without_api_keys.append(user)

    def add(self, **columns: Any) -> None:
        """Adds one value to each of the named array arguments."""
        for name, value in columns.items():
            self._others.setdefault(name, []).append(value)

    def set(self, **values: Any) -> None:
        """Sets arguments that are no arrays."""
        self._others.update(values)

    @property
    def last(self) -> tuple[str, int, bytes]:
        """Stream, version and payload of the last event."""
        return self._streams[-1], self._versions[-1], self._payloads[-1]

    def run(self, connection: Connection) -> dict[str, Any]:
        """Appends in one round trip, or in some where API keys end: `last_position`, and `replayed` where asked for.

        Raises psycopg's errors with the SQLSTATEs CF001 to CF008.
        """
        if len(self._streams) == 1 and len(self._keys) <= 1 and not self._others:
            return {"last_position": self._one(connection)}
        if not self._without_api_keys:
            return self._row(connection)
        with connection.transaction():
            connection.execute("SELECT use_tenant(%(tenant)s)", {"tenant": self._tenant})
            row = self._row(connection)
            if row["replayed"] is None:
                connection.execute(_END_API_KEYS, {"tenant": self._tenant, "users": self._without_api_keys})
        return row

    def _one(self, connection: Connection) -> int:
        """The position of a single event. It is sent through libpq itself: a cursor costs more than the append.

        A signal or an exception from another thread is seen when the server has answered, not before.
        """
        subject, wrapped = self._keys[0] if self._keys else (None, None)
        occurred_at = self._occurred_at[0]
        result = connection.pgconn.exec_params(
            _APPEND_ONE,
            (
                self._tenant.bytes,
                self._metadata,
                self._streams[0].encode(),
                self._versions[0].to_bytes(4, "big", signed=True),
                self._types[0].encode(),
                self._payloads[0],
                occurred_at.isoformat().encode() if occurred_at else None,
                subject.bytes if subject else None,
                wrapped,
            ),
            _ONE_TYPES,
            _ONE_FORMATS,
            Format.BINARY,
        )
        if result.status == ExecStatus.TUPLES_OK:
            return int.from_bytes(result.get_value(0, 0) or b"", "big")
        if connection.pgconn.status != ConnStatus.OK:
            raise psycopg.OperationalError(result.get_error_message())
        raise error_from_result(result)

    def _row(self, connection: Connection) -> dict[str, Any]:
        arguments = {
            "tenant": self._tenant,
            "metadata": self._metadata,
            "streams": self._streams,
            "versions": self._versions,
            "types": self._types,
            "payloads": self._payloads,
            **self._others,
        }
        if any(self._occurred_at):
            arguments["occurred_at"] = self._occurred_at
        if self._keys:
            arguments["subjects"], arguments["wrapped_keys"] = map(list, zip(*self._keys, strict=True))
        ((row,),) = ask(connection, [bound(connection, _append_all(frozenset(arguments)), arguments)])
        return row


_END_API_KEYS = "DELETE FROM api_keys WHERE tenant_id = %(tenant)s AND user_id = ANY(%(users)s)"

_APPEND_ONE = b"SELECT append_event($1, $2, $3, $4, $5, $6, $7, $8, $9)"
_ONE_KINDS = ("uuid", "bytea", "text", "int4", "text", "bytea", "timestamptz", "uuid", "bytea")
_ONE_TYPES = [psycopg.adapters.types[kind].oid for kind in _ONE_KINDS]
_ONE_FORMATS = [Format.TEXT if kind == "timestamptz" else Format.BINARY for kind in _ONE_KINDS]

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
    "most_users": "integer",
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
        case "CF007":
            return LastAdminConflict("the tenant's last active admin would be lost")
        case "CF008":
            return UserLimitConflict(detail["limit"])
        case _:
            return FutureEvent(
                f"{detail['stream']} would have an event in the future", row=_row_of_event(append, detail["index"])
            )


def _row_of_event(append: Append, index: int) -> int | None:
    rows = [change.row for change in append.changes for _ in change.events]
    return rows[index] if index < len(rows) else None
