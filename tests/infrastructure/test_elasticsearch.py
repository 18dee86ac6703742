"""What Elasticsearch alone is asked for: typing errors, highlighting, aliases, and its refusals."""

import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from elasticsearch import Elasticsearch
from uuid_utils.compat import uuid7

from infrastructure.elasticsearch import ElasticsearchIndex
from projections.ports import DocumentRefused, Hit, SearchDocument, SearchQuery, StoreAway
from projections.search import SEARCHED
from tests.infrastructure.unwell import answering

TENANT = uuid7()
GUMP = SearchDocument(entity="account", id=uuid7(), position=1, title="Bubba Gump")
QUERY = SearchQuery(text="gump", entities=("account",))


@pytest.fixture(scope="module")
def client(elasticsearch_url) -> Iterator[Elasticsearch]:
    with Elasticsearch(elasticsearch_url) as client:
        yield client


@pytest.fixture(scope="module")
def prefix(client) -> Iterator[str]:
    prefix = f"test-{uuid4().hex[:12]}"
    yield prefix
    client.indices.delete(index=list(client.indices.get(index=f"{prefix}*")), ignore_unavailable=True)
    for template in client.indices.get_index_template(name=f"{prefix}*")["index_templates"]:
        client.indices.delete_index_template(name=template["name"])


@pytest.fixture(scope="module")
def make(elasticsearch_url, prefix) -> Iterator[Callable[..., ElasticsearchIndex]]:
    """Makes an index; names that begin with something of their own keep it apart."""
    made: list[ElasticsearchIndex] = []

    def make(own: str = "", **settings) -> ElasticsearchIndex:
        made.append(ElasticsearchIndex(elasticsearch_url, prefix=f"{prefix}{own}", **settings))
        return made[-1]

    yield make
    for index in made:
        index.close()


@pytest.fixture(scope="module")
def index(make: Callable[..., ElasticsearchIndex]) -> ElasticsearchIndex:
    return make()


@pytest.fixture
def tenant(index) -> UUID:
    tenant = uuid7()
    index.publish(tenant, 1)
    return tenant


def put(index: ElasticsearchIndex, tenant: UUID, *titles: str, text: tuple[str, ...] = ()) -> None:
    documents = [
        SearchDocument(entity="account", id=uuid7(), position=1, title=title, text=text, fields={"owner": "x"})
        for title in titles
    ]
    index.write(tenant, 1, documents)
    index.refresh(SEARCHED)


def search(index: ElasticsearchIndex, tenant: UUID, text: str) -> list[Hit]:
    return index.search(tenant, SearchQuery(text=text, entities=("account",)))


@pytest.mark.parametrize("text", ["codehwo", "codeho", "codehoww", "cadehow", "codehwo hold", "codehow holdign"])
def test_typing_errors_are_tolerated(index, tenant, text):
    put(index, tenant, "Codehow Holding", "Bubba Gump", "Sonron")
    assert [hit.title for hit in search(index, tenant, text)] == ["Codehow Holding"]


def test_typing_errors_are_looked_for_only_where_nothing_matches_as_typed(index, tenant):
    put(index, tenant, "Sonson", "Sonron", "Sonrun")
    assert [hit.title for hit in search(index, tenant, "sonron")] == ["Sonron"]
    assert {hit.title for hit in search(index, tenant, "sonren")} == {"Sonron", "Sonrun", "Sonson"}


def test_short_words_have_no_typing_errors(index, tenant):
    put(index, tenant, "GX 500", "AB 500")
    assert [hit.title for hit in search(index, tenant, "gx 500")] == ["GX 500"]


def test_matches_are_highlighted_unfinished_and_mistyped_ones_too(index, tenant):
    put(index, tenant, "Codehow Holding", text=("sales@codehow.example", "Codehow of Paris"))
    marked = "<em>Codehow</em> Holding"
    assert search(index, tenant, "codehow")[0].highlights[0] == marked
    assert search(index, tenant, "codeh")[0].highlights[0] == marked
    assert search(index, tenant, "codehwo")[0].highlights[0] == marked
    assert search(index, tenant, "codehow hold")[0].highlights[0] == "<em>Codehow</em> <em>Holding</em>"
    assert "<em>Codehow</em> of Paris" in search(index, tenant, "codehow")[0].highlights


def test_highlights_hold_no_html_of_a_record(index, tenant):
    put(index, tenant, "<script>Codehow</script>")
    assert search(index, tenant, "codehow")[0].highlights == ["&lt;script&gt;<em>Codehow</em>&lt;&#x2F;script&gt;"]


def test_what_is_filtered_by_is_not_highlighted(index, tenant):
    put(index, tenant, "Gump x")
    query = SearchQuery(text="gump", entities=("account",), filters={"owner": "x"})
    assert index.search(tenant, query)[0].highlights == ["<em>Gump</em> x"]


def test_writes_are_findable_after_a_refresh_and_no_search_waits_for_one(make):
    index = make("-still", refresh_interval="-1")
    index.publish(TENANT, 1)
    index.write(TENANT, 1, [GUMP])
    assert index.search(TENANT, QUERY) == []
    index.refresh(SEARCHED)
    assert [hit.id for hit in index.search(TENANT, QUERY)] == [GUMP.id]


def test_an_alias_is_filtered_and_routed_to_its_tenant(index, tenant, client, prefix):
    [found] = client.indices.get_alias(name=f"{prefix}-accounts-{tenant}").values()
    [alias] = found["aliases"].values()
    assert alias["filter"] == {"term": {"tenant_id": str(tenant)}}
    assert alias["index_routing"] == alias["search_routing"] == str(tenant)


def test_an_alias_shows_nothing_of_another_tenant(index, tenant, client, prefix):
    other = uuid7()
    put(index, other, "Gump")
    put(index, tenant, "Gump")
    found = client.search(index=f"{prefix}-accounts-{tenant}", query={"match_all": {}})["hits"]["hits"]
    assert [hit["_source"]["tenant_id"] for hit in found] == [str(tenant)]


def test_the_mapping_is_strict_and_holds_one_field_for_all_filters(index, tenant, client, prefix):
    document = SearchDocument(
        entity="account", id=uuid7(), position=1, title="A", fields={f"f{number}": "x" for number in range(2_000)}
    )
    index.write(tenant, 1, [document])
    mapping = client.indices.get_mapping(index=f"{prefix}-accounts-g1")[f"{prefix}-accounts-g1"]["mappings"]
    assert mapping["dynamic"] == "strict"
    assert mapping["properties"]["fields"]["type"] == "flattened"
    assert "properties" not in mapping["properties"]["fields"]


def test_shards_replicas_and_refreshing_are_settings(make, client, prefix):
    make("-own", shards=2, replicas="0-2", refresh_interval="5s").publish(TENANT, 1)
    settings = client.indices.get_settings(index=f"{prefix}-own-accounts-g1")
    index = settings[f"{prefix}-own-accounts-g1"]["settings"]["index"]
    assert (index["number_of_shards"], index["auto_expand_replicas"], index["refresh_interval"]) == ("2", "0-2", "5s")


def test_several_processes_may_make_an_index_at_once(make):
    def write(number: int) -> None:
        document = SearchDocument(entity="account", id=uuid7(), position=1, title=f"Gump {number}")
        index = make("-race")
        index.write(TENANT, 1, [document])
        index.publish(TENANT, 1)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    index = make("-race")
    index.refresh(SEARCHED)
    assert len(index.search(TENANT, QUERY)) == 8


def test_an_index_that_somebody_removed_is_made_anew_and_just_the_same(make, client, prefix):
    index = make("-removed")
    index.write(TENANT, 1, [GUMP])
    client.indices.delete(index=f"{prefix}-removed-accounts-g1")
    index.write(TENANT, 1, [GUMP])
    index.publish(TENANT, 1)
    index.refresh(SEARCHED)
    assert [hit.title for hit in index.search(TENANT, QUERY)] == ["Bubba Gump"]
    assert client.indices.get_mapping(index=f"{prefix}-removed-accounts-g1").body.popitem()[1]["mappings"]["dynamic"]


def test_a_document_that_can_not_be_indexed_is_named_and_the_others_are_written(index, tenant):
    bad = SearchDocument(entity="account", id=uuid7(), position=1, title="Bad", fields={"a": {"\0": "x"}})
    with pytest.raises(DocumentRefused, match=f"{tenant}:{bad.id}"):
        index.write(tenant, 1, [bad, SearchDocument(entity="account", id=uuid7(), position=2, title="Good")])
    assert [each.title for each in index.documents(tenant, 1, "account")] == ["Good"]


def use_all(index: ElasticsearchIndex) -> Iterator[Callable[[], object]]:
    yield index.ping
    yield lambda: index.write(TENANT, 1, [GUMP])
    yield lambda: index.publish(TENANT, 1)
    yield lambda: index.refresh(SEARCHED)
    yield lambda: index.search(TENANT, QUERY)
    yield lambda: index.drop(TENANT, 1)
    yield lambda: index.documents(TENANT, 1, "account")


def is_away(url: str) -> None:
    index = ElasticsearchIndex(url)
    for use in use_all(index):
        with pytest.raises(StoreAway, match="Elasticsearch"):
            use()
    index.close()


def test_a_server_that_nobody_runs_is_away():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    is_away(f"http://127.0.0.1:{port}")


def test_a_server_that_never_answers_is_away():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        index = ElasticsearchIndex(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2)
        with pytest.raises(StoreAway):
            index.write(TENANT, 1, [GUMP])
        with pytest.raises(StoreAway):
            index.search(TENANT, QUERY)
        index.close()


@pytest.mark.parametrize("status", [401, 403, 429, 502, 503, 504])
def test_a_server_that_refuses_all_work_is_away(status):
    with answering(status) as url:
        is_away(url)


@pytest.mark.parametrize(
    ("status", "error"), [(429, StoreAway), (503, StoreAway), (404, StoreAway), (400, DocumentRefused)]
)
def test_each_document_of_a_bulk_request_is_looked_at(status, error):
    item = {"_id": "t:1", "status": status, "error": {"type": "some_exception"}}
    conflict = {"_id": "t:2", "status": 409, "error": {"type": "version_conflict_engine_exception"}}
    answer = {"errors": True, "items": [{"index": conflict}, {"index": item}]}
    with answering(200, json.dumps(answer).encode()) as url:
        index = ElasticsearchIndex(url)
        with pytest.raises(error, match="some_exception"):
            index.write(TENANT, 1, [GUMP])
        index.close()


def test_a_shard_that_is_away_is_no_shorter_list_of_hits():
    answer = {"responses": [{"status": 503, "error": {"type": "search_phase_execution_exception"}}]}
    received: list[bytes] = []
    with answering(200, json.dumps(answer).encode(), received) as url:
        index = ElasticsearchIndex(url)
        with pytest.raises(StoreAway, match="search_phase_execution_exception"):
            index.search(TENANT, QUERY)
        index.close()
    assert json.loads(received[0].splitlines()[0])["allow_partial_search_results"] is False
