"""Every route of the OpenAPI document, called by one tenant with what is another's: nothing of it comes back."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from api.app import OPERATIONS
from tests.api.kinds import KINDS, body_of
from tests.api.stand import Company, company, problem
from tests.api.uploads import attach, attached

MARK = "Zyxomma"
ID = "{id}"


@pytest.fixture(scope="module")
def ours(application, client) -> Company:
    return company(application, client)


@pytest.fixture(scope="module")
def own(ours) -> dict[str, str]:
    """A record of ours of each kind."""
    made = {kind.path: ours.admin.makes(f"/{kind.path}", body_of(kind)) for kind in KINDS}
    return {**made, "files": attached(ours.admin, made["accounts"])}


@pytest.fixture(scope="module")
def theirs(application, client) -> tuple[Company, dict[str, str]]:
    """Another company, and a record of each kind whose every text says so."""
    other = company(application, client)
    texts = {"name": MARK, "first_name": MARK, "last_name": MARK, "email": f"{MARK}@example.com"}
    made = {}
    for kind in KINDS:
        body = body_of(kind)
        marked = {name: text for name, text in texts.items() if name in body}
        made[kind.path] = other.admin.makes(f"/{kind.path}", {**body, **marked})
    made["files"] = attached(other.admin, made["accounts"], MARK.encode(), f"{MARK}.txt")
    return other, made


@pytest.fixture(scope="module")
def document(client) -> Mapping[str, Any]:
    told: dict[str, Any] = client.get("/api/openapi.json").json()
    return told


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        place: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            place = place[part]
        schema = place
    return schema


def references(document: Mapping[str, Any], schema: Mapping[str, Any], depth: int = 0) -> Iterator[tuple[str, ...]]:
    """The places of a body that hold the id of another record: all that are ids but those called so, which it makes."""
    schema = resolved(document, schema)
    if depth > 4:
        return
    for option in schema.get("anyOf", ()):
        yield from references(document, option, depth)
    if schema.get("format") == "uuid":
        yield ()
    if "items" in schema:
        yield from (("0", *place) for place in references(document, schema["items"], depth + 1))
    for name, each in schema.get("properties", {}).items():
        if name != "id":
            yield from ((name, *place) for place in references(document, each, depth + 1))


def with_reference(example: Any, place: tuple[str, ...], id: str) -> Any:
    """A body with an id in its place; what is on the way there is made where the example lacks it."""
    if not place:
        return id
    if place[0] == "0":
        first = example[0] if isinstance(example, list) and example else None
        return [with_reference(first, place[1:], id)]
    told = dict(example) if isinstance(example, dict) else {}
    return {**told, place[0]: with_reference(told.get(place[0]), place[1:], id)}


def test_every_route_is_in_the_document(document):
    assert len(list(operations(document))) == len(OPERATIONS) > 60


def test_an_id_of_theirs_in_a_path_is_not_found_and_changes_nothing(document, ours, theirs, caplog):
    other, records = theirs
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.WARNING, "httpx")
    before, tried = other.application.store.head(other.profile.id), 0
    for method, path, operation in operations(document):
        if ID not in path:
            continue
        example = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
        for record in {records.get(operation["tags"][0]), *records.values()} - {None}:
            answer = ours.admin.ask(method, path.replace(ID, str(record)), example)
            assert answer.status_code == 404, (method, path, answer.text)
            assert MARK not in answer.text + str(answer.headers)
            tried += 1
    assert tried > 200
    assert other.application.store.head(other.profile.id) == before
    assert MARK not in caplog.text


def test_an_id_of_theirs_in_a_body_is_refused_by_its_field_and_changes_nothing(document, ours, own, theirs):
    other, records = theirs
    codes: Counter[str] = Counter()
    for method, path, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None or operation["tags"][0] == "auth":
            continue
        for place in dict.fromkeys(references(document, content["schema"])):
            if "stage" in place:
                continue  # a stage's id is the pipeline's own affair: tried below, by its pipeline
            address = path.replace(ID, own.get(operation["tags"][0], ""))
            before = ours.application.store.head(ours.profile.id)
            for record in records.values():
                body = with_reference(content.get("example"), place, record)
                answer = ours.admin.ask(method, address, body)
                assert answer.status_code in (404, 409, 422), (method, path, place, answer.status_code, answer.text)
                assert MARK not in answer.text + str(answer.headers)
                codes[answer.json()["code"]] += 1
            assert ours.application.store.head(ours.profile.id) == before, (method, path, place)
    assert codes["unknown_reference"] > 50, codes
    assert other.application.store.head(other.profile.id) > 0


def test_an_upload_names_no_record_of_theirs(ours, theirs, own):
    _, records = theirs
    before = ours.application.store.head(ours.profile.id)
    for kind in KINDS:
        told = problem(attach(ours.admin, records[kind.path], to=kind.entity), 422, "unknown_reference")
        assert MARK not in str(told)
    assert ours.application.store.head(ours.profile.id) == before


def test_a_stage_of_theirs_is_none_of_ours(ours, own, theirs):
    other, records = theirs
    stage = other.admin.get(f"/pipelines/{records['pipelines']}").json()["stages"][0]["id"]
    problem(ours.admin.post(f"/deals/{own['deals']}/change-stage", {"stage": stage}), 422, "no_such_stage")
    problem(ours.admin.post("/deals", {"name": "A", "stage": stage}), 422, "no_such_stage")


def test_nothing_of_theirs_is_in_any_answer_to_a_question(document, ours, own, theirs, caplog):
    other, records = theirs
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.WARNING, "httpx")
    asked = 0
    for method, path, operation in operations(document):
        if method != "GET":
            continue
        required = {"q": MARK} if path.endswith("/search") else {}
        ids = {each["name"]: each for each in operation["parameters"] if "uuid" in str(each["schema"])}
        filters = [{}, *({name: record} for name in ids if name != "id" for record in records.values())]
        for parameters in filters:
            own_path = path.replace(ID, own.get(operation["tags"][0], ""))
            answer = ours.admin.ask("GET", own_path, params={**required, **parameters})
            assert answer.status_code in (200, 404, 422), (path, answer.text)
            told = answer.text + str(answer.headers)
            assert MARK not in told, path
            asked_for = set(parameters.values())
            assert [each for each in records.values() if each in told and each not in asked_for] == [], path
            asked += 1
    assert asked > 40
    assert MARK not in caplog.text
    assert str(other.profile.id) not in caplog.text


@pytest.mark.parametrize(
    "parameters",
    [
        {"entity[$ne]": "x"},
        {"entity": '{"$ne": null}'},
        {"index": "audit_logs"},
        {"tenant": "x"},
        {"generation": "1"},
        {"$where": "1"},
    ],
)
def test_the_audit_takes_no_operators_and_no_other_store(ours, parameters):
    problem(ours.admin.get("/audit", **parameters), 422, "invalid_request")
    assert ours.admin.get("/audit", actor='{"$ne": null}').json()["items"] == []


@pytest.mark.parametrize("name", ["index", "alias", "routing", "preference", "field", "script", "query", "source"])
def test_a_search_names_no_index_and_no_query_of_its_own(ours, name):
    problem(ours.admin.get("/search", q="a", **{name: "clientforge-accounts-*"}), 422, "invalid_request")


def test_a_cursor_is_of_use_to_its_user_in_its_list_alone(ours, theirs):
    other, _ = theirs
    for company_ in (ours, other):
        for name in "AB":
            company_.admin.makes("/accounts", {"name": name})
    cursor = ours.admin.get("/accounts", limit="1").json()["next"]
    assert ours.admin.get("/accounts", limit="2", cursor=cursor).status_code == 200
    strange = [
        ours.people["manager"].get("/accounts", limit="1", cursor=cursor),
        other.admin.get("/accounts", limit="1", cursor=cursor),
        ours.admin.get("/contacts", limit="1", cursor=cursor),
        ours.admin.get("/accounts", limit="1", cursor=cursor, sort="-name"),
        ours.admin.get("/accounts", limit="1", cursor=cursor, archived="true"),
        ours.admin.get("/accounts", limit="1", cursor=cursor[:-1] + ("A" if cursor[-1] != "A" else "B")),
        ours.admin.get("/accounts", limit="1", cursor="A" + cursor[1:] if cursor[0] != "A" else "B" + cursor[1:]),
        ours.admin.get("/accounts", limit="1", cursor=cursor.partition(".")[2]),
        ours.admin.get("/accounts", limit="1", cursor="é."),
    ]
    for answer in strange:
        problem(answer, 422, "invalid_cursor")


def test_an_idempotency_key_of_theirs_is_a_key_of_its_own(ours, theirs):
    other, _ = theirs
    first = other.admin.post("/accounts", {"name": MARK}, **{"Idempotency-Key": "the-same"})
    mine = ours.admin.post("/accounts", {"name": "Ours"}, **{"Idempotency-Key": "the-same"})
    assert mine.status_code == 201
    assert mine.json()["id"] != first.json()["id"]
