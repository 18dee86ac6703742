"""Projecting 50,000 events into each store, beside a bare bulk load of the rows or documents that came out of it.

Each event opens a deal, so each makes a row or document in every read model of deals. The projectors read the log and
fold it on the way; the bare load has everything at hand in the form that the store likes best.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from elasticsearch import Elasticsearch
from psycopg import sql
from pymongo import MongoClient
from uuid_utils.compat import uuid7

from application.ports import Append, StreamChange
from application.recording import Metadata, stream_name
from domain.deals.events import DealOpened
from infrastructure.bootstrap import Application, build
from infrastructure.elasticsearch_request import MAPPING, source
from infrastructure.settings import Settings
from tests.fixtures import DatabaseUrls
from tests.journeys.system import environment
from tests.performance.report import Figure, Result

EVENTS, COMMIT, BULK = 50_000, 500, 2_000
TABLES = ("deals", "deal_periods", "timeline_events", "timelines")

Load = Callable[[], None]


def measure(urls: DatabaseUrls, stores: tuple[str, str, str]) -> Result:
    """Events per second into each store, and the same rows by a bulk load."""
    variables = environment(urls, *stores)
    with _application(variables) as application:
        tenant = uuid7()
        figures = [_rate("appending", lambda: _append(application, tenant))]
        loads: dict[str, Callable[[], Load]] = {
            "relational": lambda: _copy(urls),
            "search": lambda: _bulk(application, variables["ELASTICSEARCH_URL"], tenant),
            "audit": lambda: _insert(variables["MONGODB_URL"]),
        }
        for group, load in loads.items():
            figures.append(_rate(f"projecting, {group}", partial(_drain, application, group, tenant)))
            figures.append(_rate(f"bare bulk load, {group}", load()))
        return Result(figures)


@contextmanager
def _application(variables: dict[str, str]) -> Iterator[Application]:
    named = {name.lower(): value for name, value in variables.items() if name.lower() in Settings.model_fields}
    application = build(Settings.load(_env_file=None, **named))
    try:
        yield application
    finally:
        application.close()


def _rate(name: str, work: Load) -> Figure:
    start = time.perf_counter()
    work()
    return Figure(f"50,000 events, {name}", EVENTS / (time.perf_counter() - start), "events/s")


def _append(application: Application, tenant: UUID) -> None:
    pipeline, stage, owner = uuid7(), uuid7(), uuid7()
    for first in range(0, EVENTS, COMMIT):
        changes = tuple(
            StreamChange(
                stream=stream_name("deal", uuid7()),
                expected=0,
                events=(
                    DealOpened(name=f"Deal {number}", pipeline=pipeline, stage=stage, probability=10, owner=owner),
                ),
            )
            for number in range(first, first + COMMIT)
        )
        application.store.append(tenant, Append(metadata=Metadata(actor="import", correlation=tenant), changes=changes))


def _drain(application: Application, group: str, tenant: UUID) -> None:
    while not application.engine.drain(group, tenant):
        pass


def _copy(urls: DatabaseUrls) -> Load:
    """COPY into tables with the same columns and indexes, in one transaction."""
    rows = {}
    with psycopg.connect(urls.superuser, autocommit=True) as connection:
        for table in TABLES:
            connection.execute(
                sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(
                    *map(sql.Identifier, (f"bare_{table}", table))
                )
            )
            with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as copy:
                rows[table] = b"".join(copy)

    def load() -> None:
        with psycopg.connect(urls.superuser) as connection:
            for table, data in rows.items():
                into = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(f"bare_{table}"))
                with connection.cursor().copy(into) as copy:
                    copy.write(data)

    return load


def _bulk(application: Application, url: str, tenant: UUID) -> Load:
    """Bulk requests with ready-made bodies into an index with the same mapping."""
    client = Elasticsearch(url, request_timeout=120)
    client.indices.create(
        index="bare", mappings=MAPPING, settings={"number_of_shards": 1, "auto_expand_replicas": "0-1"}
    )
    documents = iter(application.search.documents(tenant, 1, "deal"))
    bodies: list[list[Any]] = []
    while chunk := list(islice(documents, BULK)):
        lines = []
        for each in chunk:
            action = {"_index": "bare", "_id": f"{tenant}-{each.id}", "routing": str(tenant)}
            lines += [msgspec.json.encode({"index": action}), msgspec.json.encode(source(tenant, each))]
        bodies.append(lines)

    def load() -> None:
        for body in bodies:
            client.bulk(operations=body, filter_path=["errors"])
        client.close()

    return load


def _insert(url: str) -> Load:
    """insert_many of the same documents into a collection with the same indexes."""
    client: MongoClient[dict[str, Any]] = MongoClient(url)
    database = client.get_default_database()
    documents: Sequence[dict[str, Any]] = list(database["audit_logs"].find())
    bare = database["bare_logs"]
    for key in (each["key"] for each in database["audit_logs"].list_indexes() if each["name"] != "_id_"):
        bare.create_index(list(key.items()))

    def load() -> None:
        for first in range(0, len(documents), BULK):
            bare.insert_many(documents[first : first + BULK], ordered=False)
        client.close()

    return load
