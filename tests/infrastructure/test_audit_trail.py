"""What both implementations of AuditTrail keep, and when MongoDB counts as away."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import msgspec
import pytest
from pymongo import MongoClient
from pymongo.errors import BulkWriteError
from uuid_utils.compat import uuid7

from domain.kernel import Erased, Sealed
from infrastructure import mongo
from infrastructure.embedded_trail import PostgresTrail
from infrastructure.mongo import MongoTrail
from projections.ports import AuditDocument, AuditQuery, AuditTrail, DocumentRefused, StoreAway

START = datetime(2026, 2, 3, 4, 5, 6, 123_456, tzinfo=UTC)
SEALED = {"kind": "sealed", "data": "AAECAw=="}
STATE = {
    "name": "Bubba Gump",
    "amount": "1054.00",
    "lines": [{"quantity": "1", "product": None}],
    "count": 2**40,
    "archived": False,
    "personal": SEALED,
    "odd": 'it\'s "odd" 漢字 🚀 \\ \\u0041 $where',
    "prices": {"USD": "1.00"},
    "empty": {},
}


@pytest.fixture(scope="module")
def mongo_url(mongodb_url) -> Iterator[str]:
    """The URL of a database of this module alone."""
    name = f"test_{uuid4().hex[:12]}"
    yield f"{mongodb_url.rstrip('/')}/{name}"
    with MongoClient(mongodb_url) as client:
        client.drop_database(name)


@pytest.fixture(scope="module")
def mongo_trail(mongo_url) -> Iterator[MongoTrail]:
    trail = MongoTrail(mongo_url)
    yield trail
    trail.close()


@pytest.fixture(params=["mongodb", "postgres"])
def trail(request) -> AuditTrail:
    if request.param == "postgres":
        return PostgresTrail(request.getfixturevalue("database"))
    trail: MongoTrail = request.getfixturevalue("mongo_trail")
    return trail


def document(position: int, stream: str = "deal-1", **others) -> AuditDocument:
    values = {
        "version": 1,
        "type": "deal.edited.v1",
        "actor": "cli",
        "recorded_at": START + position * timedelta(seconds=1),
        "occurred_at": START - timedelta(days=400),
        "correlation": UUID(int=position),
        "event": {"name": f"number {position}"},
    }
    return AuditDocument(position=position, stream=stream, **{**values, **others})


def positions(trail: AuditTrail, tenant: UUID, generation: int = 1, **query) -> list[int]:
    return [each.position for each in trail.find(tenant, generation, AuditQuery(**query))]


def test_a_document_is_kept_exactly(trail, tenant):
    full = document(
        2**30,
        stream=f"contact-{uuid7()}",
        version=3,
        type="contact.edited.v1",
        actor=f"user-{uuid7()}",
        causation=uuid7(),
        request="0f3c",
        address=Sealed(bytes(range(256))),
        event=STATE,
        before=STATE,
        after={**STATE, "archived": True},
        changed=("archived",),
    )
    bare = document(1, address=Erased())
    trail.write(tenant, 1, [full, bare])
    assert trail.find(tenant, 1, AuditQuery()) == [full, bare]


@pytest.mark.parametrize("instant", [START, START.replace(microsecond=0), datetime(1969, 1, 1, 0, 0, 0, 1, tzinfo=UTC)])
def test_instants_are_kept_to_the_microsecond(trail, tenant, instant):
    trail.write(tenant, 1, [document(1, recorded_at=instant, occurred_at=instant)])
    [found] = trail.find(tenant, 1, AuditQuery())
    assert (found.recorded_at, found.occurred_at) == (instant, instant)


def test_tenants_are_kept_apart_at_equal_positions(trail, tenant):
    other = uuid7()
    trail.write(tenant, 1, [document(1, event={"name": "one"}), document(2)])
    trail.write(other, 1, [document(1, event={"name": "two"})])
    assert [each.event for each in trail.find(other, 1, AuditQuery())] == [{"name": "two"}]
    assert positions(trail, tenant) == [2, 1]
    assert positions(trail, uuid7()) == []


def test_generations_are_kept_apart_and_dropped_alone(trail, tenant):
    other = uuid7()
    for each in (tenant, other):
        trail.write(each, 1, [document(1)])
        trail.write(each, 2, [document(1), document(2)])
    assert (positions(trail, tenant, 1), positions(trail, tenant, 2)) == ([1], [2, 1])
    trail.drop(tenant, 1)
    trail.drop(tenant, 1)
    assert (positions(trail, tenant, 1), positions(trail, tenant, 2)) == ([], [2, 1])
    assert (positions(trail, other, 1), positions(trail, other, 2)) == ([1], [2, 1])


def test_a_document_that_is_there_stays_as_it_is(trail, tenant):
    trail.write(tenant, 1, [document(1), document(2)])
    trail.write(tenant, 1, [document(number, event={"name": "altered"}) for number in (1, 2, 3)])
    trail.write(tenant, 1, [document(1), document(2)])
    names = [each.event["name"] for each in trail.find(tenant, 1, AuditQuery())]
    assert names == ["altered", "number 2", "number 1"]


def test_positions_are_ordered_as_numbers_newest_first(trail, tenant):
    trail.write(tenant, 1, [document(number) for number in (9, 10, 2, 1_000_000, 99)])
    assert positions(trail, tenant) == [1_000_000, 99, 10, 9, 2]
    assert positions(trail, tenant, below=99) == [10, 9, 2]
    assert positions(trail, tenant, limit=2) == [1_000_000, 99]
    assert positions(trail, tenant, below=99, limit=1) == [10]


def test_documents_at_given_positions_are_found_among_those_that_match(trail, tenant):
    trail.write(tenant, 1, [document(number) for number in range(1, 6)])
    trail.write(uuid7(), 1, [document(7)])
    assert positions(trail, tenant, positions=(2, 4, 7)) == [4, 2]
    assert positions(trail, tenant, positions=(2, 4), below=4) == [2]
    assert positions(trail, tenant, positions=(2, 4), actor="somebody") == []
    assert positions(trail, tenant, positions=()) == []


def test_documents_are_found_by_record_kind_actor_and_type(trail, tenant):
    trail.write(
        tenant,
        1,
        [
            document(1, stream="deal-1", actor="user-1", type="deal.opened.v1"),
            document(2, stream="deal-2", actor="user-2", type="deal.opened.v1"),
            document(3, stream="deal-1", actor="user-2", type="deal.won.v1"),
            document(4, stream="contact-1", actor="user-1", type="contact.created.v1"),
        ],
    )
    assert positions(trail, tenant, stream="deal-1") == [3, 1]
    assert positions(trail, tenant, entity="deal") == [3, 2, 1]
    assert positions(trail, tenant, actor="user-2") == [3, 2]
    assert positions(trail, tenant, type="deal.opened.v1") == [2, 1]
    assert positions(trail, tenant, entity="deal", actor="user-1") == [1]
    assert positions(trail, tenant, stream="deal-1", type="deal.won.v1", actor="user-2", below=4) == [3]
    assert positions(trail, tenant, stream="deal-", entity="dea") == []


def test_documents_are_found_by_the_exact_time_of_recording(trail, tenant):
    step = timedelta(microseconds=1)
    trail.write(tenant, 1, [document(number, recorded_at=START + number * step) for number in range(1, 6)])
    assert positions(trail, tenant, since=START + 3 * step) == [5, 4, 3]
    assert positions(trail, tenant, until=START + 3 * step) == [2, 1]
    assert positions(trail, tenant, since=START + 2 * step, until=START + 4 * step) == [3, 2]


@pytest.mark.parametrize("odd", ["$ne", '{"$ne": null}', "' OR 1=1 --", "", ".*", "%", "\0", "\ud800", "🚀"])
def test_any_text_in_a_query_is_safe(trail, tenant, odd):
    trail.write(tenant, 1, [document(1)])
    for field in ("entity", "stream", "actor", "type"):
        assert positions(trail, tenant, **{field: odd}) == []


def test_operators_in_a_query_are_values(trail, tenant):
    trail.write(tenant, 1, [document(1)])
    query = msgspec.convert({"actor": "$gt"}, AuditQuery)
    assert trail.find(tenant, 1, query) == []


def test_a_batch_may_be_large_or_empty(trail, tenant):
    trail.write(tenant, 1, [])
    trail.write(tenant, 1, [document(number) for number in range(1, 2_502)])
    assert positions(trail, tenant, limit=3_000) == list(range(2_501, 0, -1))
    trail.drop(tenant, 1)
    assert positions(trail, tenant) == []


def test_writers_at_once_store_each_document_once(trail, tenant):
    batch = [document(number) for number in range(1, 301)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: trail.write(tenant, 1, batch), range(4)))
    assert positions(trail, tenant, limit=1_000) == list(range(300, 0, -1))


def test_it_answers(trail):
    trail.ping()


def test_row_level_security_binds_the_embedded_table(database, tenant):
    PostgresTrail(database).write(tenant, 1, [document(1)])
    everything = "SELECT tenant_id FROM audit_logs WHERE tenant_id = tenant_id"
    assert database.read(uuid7(), everything) == []
    assert database.read(tenant, everything) == [{"tenant_id": tenant}]


def test_mongodb_keeps_dates_for_people_and_indexes_for_each_query(mongo_url, mongo_trail, tenant):
    mongo_trail.write(tenant, 1, [document(1)])
    with MongoClient(mongo_url, tz_aware=True) as client:
        logs = client.get_default_database()["audit_logs"]
        stored = logs.find_one({"tenant": str(tenant)})
        assert stored is not None
        assert stored["_id"] == f"{tenant}:1:00000000000000000001"
        assert abs(stored["recorded_at"] - (START + timedelta(seconds=1))) < timedelta(milliseconds=1)
        keys = {tuple(name for name, _ in each["key"]) for each in logs.index_information().values()}
    for field in ("stream", "entity", "actor", "type", "recorded_us"):
        assert ("tenant", "generation", field, "position") in keys


def test_trails_of_several_processes_may_start_at_once(mongodb_url):
    url = f"{mongodb_url.rstrip('/')}/test_{uuid4().hex[:12]}"

    def write(number: int) -> None:
        with closing(MongoTrail(url)) as trail:
            trail.write(UUID(int=1), 1, [document(number)])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(1, 5)))
    with closing(MongoTrail(url)) as trail, MongoClient(url) as client:
        assert positions(trail, UUID(int=1)) == [4, 3, 2, 1]
        client.drop_database(client.get_default_database())


def test_a_document_that_mongodb_refuses_is_named():
    error = {"code": 2, "errmsg": "invalid key", "op": {"_id": "t:1:7"}}
    duplicate = {"code": 11000, "errmsg": "duplicate key", "op": {"_id": "t:1:6"}}
    with pytest.raises(DocumentRefused, match="t:1:7: invalid key"), mongo.reaching():
        raise BulkWriteError({"writeErrors": [duplicate, error], "writeConcernErrors": []})


@pytest.mark.parametrize("code", [1, 6, 13, 91, 189, 10107, 11600, 13436])
def test_what_may_pass_is_no_fault_of_a_document(code):
    error = {"code": code, "errmsg": "some error", "op": {"_id": "t:1:1"}}
    with pytest.raises(StoreAway, match="some error"), mongo.reaching():
        raise BulkWriteError({"writeErrors": [error], "writeConcernErrors": []})


def test_a_write_that_the_majority_did_not_acknowledge_is_tried_again():
    with pytest.raises(StoreAway), mongo.reaching():
        raise BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": 64, "errmsg": "waiting timed out"}]})


def test_a_server_that_nobody_runs_is_away():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    is_away(f"mongodb://127.0.0.1:{port}/x")


def test_a_server_that_never_answers_is_away():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        is_away(f"mongodb://127.0.0.1:{silent.getsockname()[1]}/x")


def is_away(url: str) -> None:
    with closing(MongoTrail(url, server_selection_seconds=0.2, timeout_seconds=0.2)) as trail:
        for use in (
            trail.ping,
            lambda: trail.write(uuid7(), 1, [document(1)]),
            lambda: trail.find(uuid7(), 1, AuditQuery()),
            lambda: trail.drop(uuid7(), 1),
        ):
            with pytest.raises(StoreAway, match="MongoDB"):
                use()
