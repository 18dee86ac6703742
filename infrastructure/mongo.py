"""The audit trail in MongoDB: one document per event in `audit_logs`, added once and never altered."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec import structs
from pymongo import ASCENDING, DESCENDING, MongoClient
from pymongo.collection import Collection
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    ExecutionTimeout,
    OperationFailure,
    WriteConcernError,
)

from infrastructure.texts import are_storable
from projections.ports import AuditDocument, AuditQuery, DocumentRefused, StoreAway

_DUPLICATE = 11000
# Refusals that say nothing about what was asked: internal error, unreachable hosts, credentials, time limits,
# interrupted work, elections, shutdown, conflicts that may pass, throttling, full disks, keys being rotated.
# https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
_AWAY = frozenset(
    {1, 6, 7, 13, 18, 24, 50, 64, 89, 91, 112, 133, 134, 189, 202, 211, 262, 317, 371}
    | {8000, 9001, 10058, 10107, 14031, 16500}
)
_AWAY_RANGES = (range(11600, 11603), range(13435, 13437))
DATABASE, AUDIT_LOGS = "clientforge", "audit_logs"
_FIELDS = ("stream", "entity", "actor", "type", "recorded_us")
INDEXES = tuple(("tenant", "generation", *each) for each in (("position",), *((name, "position") for name in _FIELDS)))
"""The fields of each index, all of them ascending."""
_BATCH = 1_000
_DROPPED_AT_A_TIME = 5_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Stored = dict[str, Any]


class MongoTrail:
    """AuditTrail in MongoDB; `url` names the database, which is `clientforge` otherwise.

    `_id` is tenant, generation and position. MongoDB's dates are of milliseconds, so the exact instants stand
    beside them in microseconds. Nothing is sent before the first use. `server_selection_seconds` is how long a
    server may be looked for before it counts as away.
    """

    def __init__(self, url: str, *, server_selection_seconds: float = 2.0, timeout_seconds: float = 10.0) -> None:
        self._client: MongoClient[Stored] = MongoClient(
            url,
            tz_aware=True,
            serverSelectionTimeoutMS=int(server_selection_seconds * 1000),
            connectTimeoutMS=int(server_selection_seconds * 1000),
            socketTimeoutMS=int(timeout_seconds * 1000),
            waitQueueTimeoutMS=int(timeout_seconds * 1000),
            connect=False,
        )
        database = self._client.get_default_database(DATABASE)
        self._logs: Collection[Stored] = database[AUDIT_LOGS]
        self._indexed = False
        self._indexing = threading.Lock()

    def close(self) -> None:
        """Closes all connections."""
        self._client.close()

    def write(self, tenant: UUID, generation: int, documents: Sequence[AuditDocument]) -> None:
        """Adds documents, by position; one that is there already stays as it is."""
        self._make_indexes()
        for start in range(0, len(documents), _BATCH):
            batch = [_stored(tenant, generation, each) for each in documents[start : start + _BATCH]]
            with reaching():
                self._logs.insert_many(batch, ordered=False)

    def find(self, tenant: UUID, generation: int, query: AuditQuery) -> list[AuditDocument]:
        """The matching documents of that tenant and generation, newest first."""
        if not are_storable((query.entity, query.stream, query.actor, query.type)):
            return []
        wanted = {**_generation(tenant, generation), **_matching(query)}
        with reaching():
            found = list(self._logs.find(wanted).sort("position", DESCENDING).limit(query.limit))
        return [_document(each) for each in found]

    def drop(self, tenant: UUID, generation: int) -> None:
        """Forgets a generation of the tenant, some documents at a time."""
        own = _generation(tenant, generation)
        with reaching():
            while ids := [each["_id"] for each in self._logs.find(own, {"_id": True}).limit(_DROPPED_AT_A_TIME)]:
                self._logs.delete_many({**own, "_id": {"$in": ids}})

    def ping(self) -> None:
        """Raises StoreAway when the server doesn't answer."""
        with reaching():
            self._client.admin.command("ping")

    def _make_indexes(self) -> None:
        """Makes the indexes that are missing, once in a process; several processes may do so at once."""
        with self._indexing:
            if self._indexed:
                return
            with reaching():
                # One command for each: FerretDB dies of one for several when they are there already.
                for fields in INDEXES:
                    self._logs.create_index([(name, ASCENDING) for name in fields])
            self._indexed = True


def _generation(tenant: UUID, generation: int) -> Stored:
    return {"tenant": {"$eq": str(tenant)}, "generation": {"$eq": generation}}


def _matching(query: AuditQuery) -> Stored:
    """The conditions beside tenant and generation. Values stand behind operators, so that none can be one."""
    named = {"entity": query.entity, "stream": query.stream, "actor": query.actor, "type": query.type}
    wanted: Stored = {name: {"$eq": value} for name, value in named.items() if value is not None}
    recorded = {"$gte": query.since, "$lt": query.until}
    if limits := {operator: _microseconds(instant) for operator, instant in recorded.items() if instant is not None}:
        wanted["recorded_us"] = limits
    places: Stored = {} if query.below is None else {"$lt": query.below}
    if query.positions is not None:
        places["$in"] = list(query.positions)
    if places:
        wanted["position"] = places
    return wanted


def _stored(tenant: UUID, generation: int, document: AuditDocument) -> Stored:
    return {
        "_id": f"{tenant}:{generation}:{document.position:020}",
        "tenant": str(tenant),
        "generation": generation,
        "entity": document.stream.partition("-")[0],
        **msgspec.to_builtins(structs.asdict(document), builtin_types=(datetime,)),
        "recorded_us": _microseconds(document.recorded_at),
        "occurred_us": _microseconds(document.occurred_at),
    }


def _document(stored: Mapping[str, Any]) -> AuditDocument:
    exact = {"recorded_at": _instant(stored["recorded_us"]), "occurred_at": _instant(stored["occurred_us"])}
    return msgspec.convert({**stored, **exact}, AuditDocument)


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def _instant(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND


def _is_away(code: int | None) -> bool:
    return code in _AWAY or any(code in each for each in _AWAY_RANGES)


@contextmanager
def reaching() -> Iterator[None]:
    """StoreAway for what may pass; documents that are there already are no error."""
    try:
        yield
    except BulkWriteError as error:
        failed = [each for each in error.details["writeErrors"] if each["code"] != _DUPLICATE]
        reasons = "; ".join(f"{each['op']['_id']}: {each['errmsg']}" for each in failed[:3])
        if error.details["writeConcernErrors"] or any(_is_away(each["code"]) for each in failed):
            raise StoreAway(f"MongoDB: {reasons or error.details['writeConcernErrors']}") from error
        if failed:
            raise DocumentRefused(f"MongoDB: {reasons}") from error
    except (ConnectionFailure, ExecutionTimeout, WriteConcernError) as error:
        raise StoreAway(f"MongoDB: {error}") from error
    except OperationFailure as error:
        if _is_away(error.code) or error.has_error_label("RetryableWriteError"):
            raise StoreAway(f"MongoDB: {error}") from error
        raise
