"""What both implementations of SearchIndex keep, and what Elasticsearch adds."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from elasticsearch import Elasticsearch
from uuid_utils.compat import uuid7

from infrastructure.elasticsearch import ElasticsearchIndex
from infrastructure.embedded_search import PostgresIndex
from infrastructure.postgres import Database
from projections.ports import Hit, NotPublished, SearchDocument, SearchIndex, SearchQuery
from projections.search import SEARCHED

ENTITIES = ("account", "contact", "deal")
ODD_TEXTS = (
    *("", " ", "'", '"', "\\", "%", "_", "*", "?", ":", "!", "&", "|", "(", ")", "~2", "AND", "-", "+x", "🚀", "\0"),
    *("it's", "a:b", "a & !b", "foo:*", "x' OR 1=1 --", '{"match_all": {}}', "[a TO b]", "/re.*/", "a\\", "\ud800"),
    *("漢字", "İ", "ß", "e\u0301", "word " * 500, "x" * 50_000, "<em>", "$where", "\u202e"),
)


@pytest.fixture(scope="module")
def elasticsearch(elasticsearch_url) -> Iterator[ElasticsearchIndex]:
    prefix = f"test-{uuid4().hex[:12]}"
    index = ElasticsearchIndex(elasticsearch_url, prefix=prefix)
    yield index
    index.close()
    with Elasticsearch(elasticsearch_url) as client:
        client.indices.delete(index=list(client.indices.get(index=f"{prefix}-*")), ignore_unavailable=True)
        for entity in ENTITIES:
            client.options(ignore_status=404).indices.delete_index_template(name=f"{prefix}-{entity}s")


@pytest.fixture(params=["elasticsearch", "postgres"])
def index(request) -> SearchIndex:
    if request.param == "postgres":
        return PostgresIndex(request.getfixturevalue("database"))
    index: ElasticsearchIndex = request.getfixturevalue("elasticsearch")
    return index


@pytest.fixture
def tenant(index) -> UUID:
    """A tenant of one test, with a first generation published."""
    tenant = uuid7()
    index.publish(tenant, 1)
    return tenant


def account(title: str, *text: str, id: UUID | None = None, position: int = 1, **others) -> SearchDocument:
    return SearchDocument(entity="account", id=id or uuid7(), position=position, title=title, text=text, **others)


def put(index: SearchIndex, tenant: UUID, *documents: SearchDocument, generation: int = 1) -> None:
    index.write(tenant, generation, documents)
    index.refresh(SEARCHED)


def hits(index: SearchIndex, tenant: UUID, text: str, entities: tuple[str, ...] = ("account",), **others) -> list[Hit]:
    return index.search(tenant, SearchQuery(text=text, entities=entities, **others))


def titles(index: SearchIndex, tenant: UUID, text: str, **others) -> list[str]:
    return [hit.title for hit in hits(index, tenant, text, **others)]


def test_a_hit_says_what_was_found(index, tenant):
    document = account("Codehow", fields={"owner": "x", "employees": 12, "listed": True, "tags": ["a", "b"]})
    put(index, tenant, document)
    [hit] = hits(index, tenant, "codehow")
    assert (hit.entity, hit.id, hit.title, hit.fields) == ("account", document.id, "Codehow", document.fields)
    assert hit.score > 0


@pytest.mark.parametrize("text", ["c", "co", "cod", "codehow", "CODEHOW", " codehow ", "codehow h", "holding code"])
def test_a_title_is_found_as_people_type_it(index, tenant, text):
    put(index, tenant, account("Codehow Holding"), account("Bubba Gump"))
    assert titles(index, tenant, text) == ["Codehow Holding"]


@pytest.mark.parametrize("text", ["gu bubba", "bubba gump shrimp", "odehow"])
def test_each_whole_word_must_match_and_the_last_one_begin_a_word(index, tenant, text):
    put(index, tenant, account("Codehow"), account("Bubba Gump"))
    assert titles(index, tenant, text) == []


@pytest.mark.parametrize("text", ["ada", "lovelace", "ada.lovelace@analytical.example", "analytical", "ada analytical"])
def test_what_else_is_known_of_a_record_finds_it(index, tenant, text):
    put(index, tenant, account("Engine", "ada.lovelace@analytical.example", "+44 20"), account("Ledger", "a@x.example"))
    assert titles(index, tenant, text) == ["Engine"]


@pytest.mark.parametrize("text", ["jose", "josé", "JOSÉ", "jose\u0301", "muller", "strasse", "Straße"])
def test_accents_and_case_make_no_difference(index, tenant, text):
    put(index, tenant, account("José Müller, Straße 5"), account("Gump"))
    assert titles(index, tenant, text) == ["José Müller, Straße 5"]


@pytest.mark.parametrize("title", ["Codehow", "Bubba Gump", "Y-corporation", "Sonron", "dambase", "J-Texon"])
def test_the_same_title_comes_first(index, tenant, title):
    others = [f"{title} Holding", f"{title} {title}", f"New {title}", f"{title}s", f"{title}s {title}"]
    documents = [account(each, title, title) for each in [*others, title]]
    put(index, tenant, *documents, account("Else", title, f"{title} {title}"))
    for text in (title, title.lower(), title.upper()):
        assert titles(index, tenant, text)[0] == title


def test_titles_come_before_other_texts_and_their_beginnings_first(index, tenant):
    put(index, tenant, account("Other", "gump"), account("New Gump"), account("Gumption"), account("Gump"))
    assert titles(index, tenant, "gump") == ["Gump", "Gumption", "New Gump", "Other"]


def test_equal_hits_come_in_the_order_of_their_titles(index, tenant):
    put(index, tenant, *(account(f"Gump {name}") for name in ("delta", "alpha", "charlie", "bravo")))
    assert titles(index, tenant, "gump") == ["Gump alpha", "Gump bravo", "Gump charlie", "Gump delta"]


def test_tenants_are_kept_apart_at_equal_ids_and_positions(index, tenant):
    other, id = uuid7(), uuid7()
    index.publish(other, 1)
    put(index, tenant, account("Codehow of one", id=id, position=7))
    put(index, other, account("Codehow of two", id=id, position=7), account("Sonron", position=8))
    assert titles(index, tenant, "codehow") == ["Codehow of one"]
    assert titles(index, other, "codehow") == ["Codehow of two"]
    assert titles(index, tenant, "sonron") == []
    assert [each.title for each in index.documents(tenant, 1, "account")] == ["Codehow of one"]


def test_a_tenant_that_was_never_published_is_an_error_and_never_a_wider_search(index, tenant):
    put(index, tenant, account("Codehow"))
    stranger = uuid7()
    index.write(stranger, 1, [account("Codehow")])
    index.refresh(SEARCHED)
    with pytest.raises(NotPublished):
        hits(index, stranger, "codehow")


def test_filters_are_exact_values_of_fields(index, tenant):
    put(
        index,
        tenant,
        account("Gump 1", fields={"industry": "retail", "employees": 12, "listed": True, "tags": ["a", "b"]}),
        account("Gump 2", fields={"industry": "retail trade", "employees": 120, "listed": False, "tags": ["b", "c"]}),
        account("Gump 3"),
    )

    def filtered(**filters: str) -> list[str]:
        return titles(index, tenant, "gump", filters=filters)

    assert filtered(industry="retail") == ["Gump 1"]
    assert filtered(industry="Retail") == []
    assert filtered(employees="12") == ["Gump 1"]
    assert filtered(listed="false") == ["Gump 2"]
    assert filtered(tags="b") == ["Gump 1", "Gump 2"]
    assert filtered(tags="b", industry="retail") == ["Gump 1"]
    assert filtered(nothing="x") == []
    assert filtered(industry="\0", tags="' OR 1=1") == []


def test_only_records_of_the_given_owners_are_found(index, tenant):
    first, second = uuid7(), uuid7()
    put(
        index,
        tenant,
        account("Gump 1", fields={"owner": str(first)}),
        account("Gump 2", fields={"owner": str(second)}),
        account("Gump 3"),
    )
    assert titles(index, tenant, "gump", owners=[first]) == ["Gump 1"]
    assert titles(index, tenant, "gump", owners=[first, second]) == ["Gump 1", "Gump 2"]
    assert titles(index, tenant, "gump", owners=[]) == []
    assert titles(index, tenant, "gump", owners=[first], unowned=True) == ["Gump 1", "Gump 3"]
    assert titles(index, tenant, "gump", owners=[], unowned=True) == ["Gump 3"]
    assert titles(index, tenant, "gump") == ["Gump 1", "Gump 2", "Gump 3"]


def test_archived_records_are_found_when_they_are_asked_for(index, tenant):
    put(index, tenant, account("Gump 1", archived=True), account("Gump 2"))
    assert titles(index, tenant, "gump") == ["Gump 2"]
    assert titles(index, tenant, "gump", archived=True) == ["Gump 1", "Gump 2"]


def test_several_entities_are_searched_at_once_each_with_its_limit(index, tenant):
    documents = [
        SearchDocument(entity=entity, id=uuid7(), position=1, title=f"Gump {number}")
        for entity in ENTITIES
        for number in range(5)
    ]
    put(index, tenant, *documents)
    found = hits(index, tenant, "gump", entities=("deal", "account"), limit=2)
    assert [(hit.entity, hit.title) for hit in found] == [
        ("deal", "Gump 0"),
        ("deal", "Gump 1"),
        ("account", "Gump 0"),
        ("account", "Gump 1"),
    ]
    assert hits(index, tenant, "gump", entities=()) == []


@pytest.mark.parametrize("text", ODD_TEXTS, ids=lambda text: ascii(text)[:20])
def test_any_text_is_safe(index, tenant, text):
    put(index, tenant, account("Gump"))
    assert "Gump" not in titles(index, tenant, text)


def test_texts_of_records_may_hold_anything_too(index, tenant):
    odd = [each for each in ODD_TEXTS if "\0" not in each and "\ud800" not in each]
    put(index, tenant, *(account(each, each, fields={"odd": each[:500]}) for each in odd))
    assert {each.title for each in index.documents(tenant, 1, "account")} == set(odd)
    for each in ("it's", "x' OR 1=1 --", "<em>", "漢字"):
        assert titles(index, tenant, each)[0] == each


def test_a_newer_document_replaces_an_older_one(index, tenant):
    id = uuid7()
    put(index, tenant, account("Codehow", "old", id=id, position=3, fields={"industry": "retail"}))
    put(index, tenant, account("Sonron", "new", id=id, position=5, fields={"size": "500+"}, archived=True))
    assert titles(index, tenant, "codehow") == titles(index, tenant, "old") == []
    [hit] = hits(index, tenant, "sonron new", archived=True)
    assert hit.fields == {"size": "500+"}


def test_repetition_and_older_positions_change_nothing(index, tenant):
    id = uuid7()
    newest = account("Sonron", "text", id=id, position=5, fields={"size": "500+"})
    put(index, tenant, newest)
    put(index, tenant, newest)
    put(index, tenant, account("Codehow", id=id, position=4, archived=True), account("Codehow", id=id, position=5))
    assert index.documents(tenant, 1, "account") == [newest]


def test_of_one_record_in_a_batch_the_highest_position_counts(index, tenant):
    id = uuid7()
    put(index, tenant, *(account(f"Gump {position}", id=id, position=position) for position in (2, 3, 1)))
    assert titles(index, tenant, "gump") == ["Gump 3"]


def test_a_batch_may_be_large_or_empty(index, tenant):
    index.write(tenant, 1, [])
    put(index, tenant, *(account(f"Gump {number}") for number in range(4_500)))
    stored = index.documents(tenant, 1, "account")
    assert len(stored) == 4_500
    assert [each.id for each in stored] == sorted(each.id for each in stored)


def test_documents_are_kept_as_they_were_written(index, tenant):
    document = account("José", "a@x.example", "b", id=uuid7(), position=9, fields={"n": 1, "l": ["x"]}, archived=True)
    put(index, tenant, document)
    assert index.documents(tenant, 1, "account") == [document]
    assert index.documents(tenant, 1, "contact") == []
    assert index.documents(tenant, 99, "account") == []


def test_a_generation_is_filled_while_the_other_one_serves(index, tenant):
    id = uuid7()
    put(index, tenant, account("Gump of old", id=id, position=5))
    put(index, tenant, account("Gump of new", id=id, position=5), generation=2)
    assert titles(index, tenant, "gump") == ["Gump of old"]
    index.publish(tenant, 2)
    index.publish(tenant, 2)
    index.refresh(SEARCHED)
    assert titles(index, tenant, "gump") == ["Gump of new"]
    index.publish(tenant, 1)
    assert titles(index, tenant, "gump") == ["Gump of old"]


def test_publishing_moves_one_tenant_alone(index, tenant):
    other = uuid7()
    index.publish(other, 1)
    put(index, other, account("Gump of two"))
    put(index, tenant, account("Gump of one"), generation=2)
    index.publish(tenant, 2)
    index.refresh(SEARCHED)
    assert titles(index, other, "gump") == ["Gump of two"]
    assert titles(index, tenant, "gump") == ["Gump of one"]


def test_dropping_forgets_one_generation_of_one_tenant(index, tenant):
    other, id = uuid7(), uuid7()
    for each in (tenant, other):
        index.publish(each, 2)
        for generation in (1, 2):
            index.write(each, generation, [account(f"Gump {generation}", id=id, position=5)])
    index.drop(tenant, 1)
    index.drop(tenant, 1)
    assert index.documents(tenant, 1, "account") == []
    assert [len(index.documents(*kept, "account")) for kept in ((tenant, 2), (other, 1), (other, 2))] == [1, 1, 1]


def test_a_dropped_generation_can_be_filled_again_from_lower_positions(index, tenant):
    id = uuid7()
    index.write(tenant, 2, [account("Gump", id=id, position=5)])
    index.drop(tenant, 2)
    index.write(tenant, 2, [account("Gump again", id=id, position=3)])
    assert [each.title for each in index.documents(tenant, 2, "account")] == ["Gump again"]


def test_the_published_generation_is_not_dropped(index, tenant):
    put(index, tenant, account("Gump"))
    with pytest.raises(ValueError, match="published"):
        index.drop(tenant, 1)
    assert titles(index, tenant, "gump") == ["Gump"]


def test_it_answers(index):
    index.ping()


def test_row_level_security_binds_the_embedded_tables(database: Database):
    tenant, other = uuid7(), uuid7()
    index = PostgresIndex(database)
    index.publish(tenant, 1)
    put(index, tenant, account("Gump"))
    everything = "SELECT tenant_id FROM search_documents WHERE tenant_id = tenant_id"
    assert database.read(other, everything) == []
    assert database.read(tenant, everything) == [{"tenant_id": tenant}]


def test_what_was_written_before_a_generation_is_published_is_found_at_once(elasticsearch_url):
    prefix = f"test-{uuid4().hex[:12]}"
    index = ElasticsearchIndex(elasticsearch_url, prefix=prefix, refresh_interval="60s")
    tenant = uuid7()
    index.publish(tenant, 1)
    index.write(tenant, 2, [account("Codehow")])

    index.publish(tenant, 2)

    assert titles(index, tenant, "codehow") == ["Codehow"]
    index.close()
    with Elasticsearch(elasticsearch_url) as client:
        client.indices.delete(index=list(client.indices.get(index=f"{prefix}-*")))
