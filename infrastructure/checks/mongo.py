"""MongoDB: that the audit trail's collection is there, with the indexes that its queries go by."""

import time
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from infrastructure.checks.addresses import address
from infrastructure.checks.postgres import published
from infrastructure.findings import Finding, failure, ok, warning
from infrastructure.mongo import AUDIT_LOGS, DATABASE, INDEXES
from infrastructure.settings import Settings

_CONNECTION, _COLLECTION, _INDEXES = "MongoDB connection", "MongoDB collections", "MongoDB indexes"
_MILLISECONDS = 3_000


def mongodb(settings: Settings) -> list[Finding]:
    """Connection, collection and indexes; none of it is needed where the audit trail is kept in PostgreSQL."""
    if settings.mongodb_url is None:
        return [ok("MongoDB", "not used: the audit trail is kept in PostgreSQL (no MONGODB_URL)")]
    url = settings.mongodb_url.get_secret_value()
    try:
        return _asked(settings, url)
    except (PyMongoError, ValueError) as error:
        told = f"{address(url)} doesn't answer ({type(error).__name__})"
        return [failure(_CONNECTION, told, "see whether it runs, and whether its credentials are right")]


def _asked(settings: Settings, url: str) -> list[Finding]:
    client: MongoClient[dict[str, Any]] = MongoClient(
        url,
        serverSelectionTimeoutMS=_MILLISECONDS,
        connectTimeoutMS=_MILLISECONDS,
        socketTimeoutMS=_MILLISECONDS,
        waitQueueTimeoutMS=_MILLISECONDS,
    )
    with client:
        started = time.perf_counter()
        client.admin.command("ping")
        taken = (time.perf_counter() - started) * 1000
        database = client.get_default_database(DATABASE)
        found = [ok(_CONNECTION, f"{address(url)} answers in {taken:.0f} ms")]
        if AUDIT_LOGS not in database.list_collection_names():
            return [*found, _no_collection(settings)]
        there = [each["key"] for each in database[AUDIT_LOGS].index_information().values()]
    missing = [each for each in INDEXES if [(name, 1) for name in each] not in [_plain(key) for key in there]]
    found.append(ok(_COLLECTION, f"{AUDIT_LOGS} is there"))
    if missing:
        told = "; ".join(", ".join(each) for each in missing)
        return [*found, failure(_INDEXES, f"missing: {told}", "restart the workers: they make them")]
    return [*found, ok(_INDEXES, f"{len(INDEXES)} are there")]


def _plain(key: Any) -> list[tuple[str, int]]:
    return [(name, int(direction)) for name, direction in key]


def _no_collection(settings: Settings) -> Finding:
    """The first event makes it: without any, that is how it should be."""
    tenants = published(settings, "audit")
    if tenants:
        told = f"{AUDIT_LOGS} is missing, though the trail of {len(tenants)} tenants was written"
        return failure(_COLLECTION, told, "clientforge projections rebuild audit")
    return warning(_COLLECTION, f"{AUDIT_LOGS} is not there yet", "the first event makes it: see that a worker runs")
