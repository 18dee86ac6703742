"""Ways round a tenant's alias, each tried: none leaves this process, and none finds what is another tenant's."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from uuid import uuid4

import pytest
from elasticsearch import Elasticsearch
from uuid_utils.compat import uuid7

from infrastructure import elasticsearch
from infrastructure.elasticsearch import ElasticsearchIndex
from infrastructure.elasticsearch_guard import UnsafeSearch, check_hits, check_searches
from infrastructure.elasticsearch_lifecycle import POLICY, LifecycleUnsupported, set_up_lifecycle
from infrastructure.elasticsearch_request import search_body
from projections.ports import NotPublished, SearchDocument, SearchQuery
from projections.search import SEARCHED

ALIAS = "clientforge-accounts-ours"


@pytest.fixture
def prefix():
    return f"isolation-{uuid4().hex[:8]}"


@pytest.fixture
def index(elasticsearch_url, prefix):
    index = ElasticsearchIndex(elasticsearch_url, prefix=prefix)
    yield index
    index.close()


@pytest.fixture
def tenants(index):
    """Ours and theirs, each with an account of the same name."""
    ours, theirs = uuid7(), uuid7()
    for tenant, owner in ((ours, "ours"), (theirs, "theirs")):
        document = SearchDocument(
            entity="account", id=uuid7(), position=1, title="Codehow", text=(owner,), fields={"owner": owner}
        )
        index.write(tenant, 1, [document])
        index.publish(tenant, 1)
    return ours, theirs


def query(text: str = "codehow", **others) -> SearchQuery:
    return SearchQuery(text=text, entities=("account",), **others)


def searches(header=None, **body):
    return [{"index": ALIAS, "allow_partial_search_results": False, **(header or {})}, {**search_body(query()), **body}]


def test_our_own_searches_pass():
    check_searches(searches(), [ALIAS])
    forgiving = search_body(query(filters={"owner": "x"}, owners=(uuid7(),)), forgiving=True)
    check_searches([{"index": ALIAS}, forgiving], [ALIAS])
    check_searches([{"index": ALIAS}, search_body(query(owners=(uuid7(),), unowned=True))], [ALIAS])


@pytest.mark.parametrize(
    "index", ["clientforge-accounts-g1", "clientforge-accounts-*", "*", "_all", f"{ALIAS},other", "", None, "accounts"]
)
def test_nothing_but_an_alias_of_the_tenant_is_searched(index):
    with pytest.raises(UnsafeSearch, match="no alias"):
        check_searches(searches({"index": index}), [ALIAS])


@pytest.mark.parametrize("header", [{"routing": "theirs"}, {"preference": "x"}, {"search_type": "query_then_fetch"}])
def test_no_header_routes_elsewhere(header):
    with pytest.raises(UnsafeSearch):
        check_searches(searches(header), [ALIAS])


@pytest.mark.parametrize(
    "body",
    [
        {"pit": {"id": "of another tenant"}},
        {"aggs": {"all": {"global": {}, "aggs": {"names": {"terms": {"field": "title_key"}}}}}},
        {"suggest": {"names": {"text": "code", "term": {"field": "words"}}}},
        {"script_fields": {"x": {"script": "doc"}}},
        {"runtime_mappings": {"x": {"type": "keyword"}}},
        {"indices_boost": [{"*": 2}]},
        {"slice": {"id": 0, "max": 2}},
        {"search_after": [1]},
        {"knn": {}},
    ],
)
def test_no_part_of_a_search_reaches_beyond_its_query(body):
    with pytest.raises(UnsafeSearch, match=next(iter(body))):
        check_searches(searches(**body), [ALIAS])


@pytest.mark.parametrize(
    "clause",
    [
        {"terms": {"id": {"index": "clientforge-accounts-g1", "id": "theirs", "path": "id"}}},
        {"query_string": {"query": "tenant_id:theirs"}},
        {"simple_query_string": {"query": "x"}},
        {"script": {"script": "true"}},
        {"more_like_this": {"like": [{"_index": "clientforge-accounts-g1", "_id": "theirs"}]}},
        {"percolate": {"index": "x", "id": "1"}},
        {"has_parent": {}},
        {"wrapper": {"query": "e30="}},
        {"regexp": {"title_key": ".*"}},
        {"bool": {"must_not": [{"term": {"tenant_id": "ours"}}]}},
        {"bool": {"must_not": [{"exists": {"field": "tenant_id"}}]}},
        {"bool": {"must_not": [{"exists": {"field": "fields.owner"}}], "must": [{"match_all": {}}]}},
        {"bool": {"filter": [{"bool": {"should": {"match_all": {}}}}]}},
    ],
)
def test_no_clause_looks_into_other_documents_or_runs_a_program(clause):
    with pytest.raises(UnsafeSearch):
        check_searches(searches(query={"bool": {"filter": [clause]}}), [ALIAS])


def test_a_hit_of_another_tenant_is_never_believed():
    ours, theirs = uuid7(), uuid7()
    check_hits([{"_id": f"{ours}:x"}], ours)
    with pytest.raises(UnsafeSearch, match="another tenant"):
        check_hits([{"_id": f"{ours}:x"}, {"_id": f"{theirs}:x"}], ours)


@pytest.mark.parametrize(
    "text",
    ["codehow", "*", "code*", "codehow OR tenant_id:*", "_exists_:id", '{"match_all": {}}', "codehow~5", "theirs"],
)
def test_whatever_is_typed_finds_ours_alone(index, tenants, text):
    ours, theirs = tenants
    index.refresh(SEARCHED)
    for tenant, other in ((ours, "theirs"), (theirs, "ours")):
        found = index.search(tenant, query(text))
        assert all(hit.fields["owner"] != other for hit in found)


def test_a_missing_alias_is_an_error_and_no_wider_search(index, tenants, elasticsearch_url, prefix):
    ours, theirs = tenants
    client = Elasticsearch(elasticsearch_url)
    client.indices.delete_alias(index=f"{prefix}-accounts-g1", name=f"{prefix}-accounts-{ours}")
    with pytest.raises(NotPublished):
        index.search(ours, query())
    index.refresh(SEARCHED)
    assert len(index.search(theirs, query())) == 1
    index.publish(ours, 1)
    assert [hit.fields["owner"] for hit in index.search(ours, query())] == ["ours"]


def test_an_alias_that_does_not_filter_is_found_out(index, tenants, elasticsearch_url, prefix):
    ours, _ = tenants
    index.refresh(SEARCHED)
    client = Elasticsearch(elasticsearch_url)
    client.indices.put_alias(index=f"{prefix}-accounts-g1", name=f"{prefix}-accounts-{ours}")
    with pytest.raises(UnsafeSearch, match="another tenant"):
        index.search(ours, query())


def test_a_request_is_looked_at_before_it_leaves(index, tenants, monkeypatch):
    monkeypatch.setattr(elasticsearch, "search_body", lambda *_, **__: {**search_body(query()), "aggs": {}})
    with pytest.raises(UnsafeSearch, match="aggs"):
        index.search(tenants[0], query())


def test_a_server_without_lifecycles_is_told_and_left_alone(index, tenants, elasticsearch_url, prefix):
    with pytest.raises(LifecycleUnsupported, match="no index lifecycle management"):
        index.set_up_lifecycle()
    assert not Elasticsearch(elasticsearch_url).cluster.exists_component_template(name=f"{prefix}-lifecycle")


def test_a_server_with_lifecycles_gets_the_policy_the_template_and_the_settings():
    asked: list[tuple[str, str, object]] = []

    class Noting(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.command, self.path.partition("?")[0], json.loads(body)))
            self.send_response(200)
            self.send_header("X-Elastic-Product", "Elasticsearch")
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b'{"acknowledged": true}')

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Noting)
    Thread(target=server.serve_forever, daemon=True).start()
    with Elasticsearch(f"http://127.0.0.1:{server.server_port}") as client:
        set_up_lifecycle(client, "clientforge")
    server.shutdown()
    server.server_close()
    settings = {"index.lifecycle.name": "clientforge-search"}
    assert asked == [
        ("PUT", "/_ilm/policy/clientforge-search", {"policy": POLICY}),
        ("PUT", "/_component_template/clientforge-lifecycle", {"template": {"settings": settings}}),
        ("PUT", "/clientforge-*s-g*/_settings", settings),
    ]
    assert not any("delete" in phase["actions"] for phase in POLICY["phases"].values())
