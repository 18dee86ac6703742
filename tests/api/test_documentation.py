"""The OpenAPI description is true, its examples work, and its page loads nothing."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from api.app import OPERATIONS
from api.decoding import decoded
from api.link_pages import PAGES
from infrastructure.letters import WORDINGS
from tests.api.doors import opened
from tests.api.stand import API, problem


@pytest.fixture(scope="module")
def document(client) -> dict[str, Any]:
    told: dict[str, Any] = client.get("/api/openapi.json").json()
    return told


def test_it_is_openapi_and_tells_every_operation(client, document):
    assert document["openapi"] == "3.1.0"
    assert client.get(f"{API}/openapi.json").json() == document
    told = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert told == {(each.method, API + each.path.replace("{id:uuid}", "{id}")) for each in OPERATIONS}
    ids = [each["operationId"] for methods in document["paths"].values() for each in methods.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("path", ["/api/openapi.json", f"{API}/openapi.json", "/api/docs", "/api/docs/page.js"])
def test_the_description_is_sent_once_to_whoever_keeps_it(client, path):
    first = client.get(path)
    tag = first.headers["etag"]
    again = client.get(path, headers={"If-None-Match": f'"another", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(path, headers={"If-None-Match": '"another"'}).content == first.content


def test_the_description_counts_against_its_readers_address(application):
    with opened(application, peer="203.0.113.77", rate_limit_general="3 per hour") as client:
        paths = ("/api/openapi.json", "/api/docs", f"{API}/openapi.json")
        assert [client.get(each).headers["ratelimit"].split(";")[1] for each in paths] == ["r=2", "r=1", "r=0"]
        problem(client.get("/api/openapi.json"), 429, "too_many_requests")


def test_every_reference_leads_somewhere(document):
    for reference in references(document):
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


def test_every_operation_tells_its_answer_its_errors_and_what_it_needs(document):
    for operation in OPERATIONS:
        told = document["paths"][API + operation.path.replace("{id:uuid}", "{id}")][operation.method.lower()]
        assert str(operation.status) in told["responses"]
        if not operation.public:
            assert "401" in told["responses"]
        if operation.permission:
            assert operation.permission in told["description"]
            assert "403" in told["responses"]
        names = {each["name"] for each in told["parameters"]}
        in_path = {each["name"] for each in told["parameters"] if each["in"] == "path"}
        assert in_path == ({"id"} if "{id" in operation.path else set())
        assert ("Idempotency-Key" in names) == (operation.method == "POST" and operation.commands)
        assert ("If-Match" in names) == (operation.commands and not operation.creates)


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.body], ids=lambda each: each.name)
def test_every_example_of_a_body_is_one(operation):
    assert operation.body is not None
    body = decoded(operation.body, msgspec.json.encode(operation.example or {}))
    assert isinstance(body, operation.body)


def test_amounts_are_texts_and_references_are_uuids(document):
    deal = document["components"]["schemas"]["DealRow"]["properties"]
    assert {"type": "string", "format": "decimal"} in deal["amount"]["anyOf"]
    assert deal["id"] == {"type": "string", "format": "uuid"}
    body = document["components"]["schemas"]["OpenDeal"]
    assert body["additionalProperties"] is False
    assert body["required"] == ["name"]


def test_owner_may_be_me(document):
    parameters = document["paths"][f"{API}/accounts"]["get"]["parameters"]
    [owner] = [each for each in parameters if each["name"] == "owner"]
    assert {"const": "me"} in owner["schema"]["anyOf"]


def test_the_page_loads_its_own_files_and_nothing_else(client, document):
    answer = client.get("/api/docs")
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';")
    assert "unsafe" not in policy
    assert set(re.findall(r'(?:src|href)="([^"#][^"]*)"', answer.text)) == {
        "/api/docs/page.css",
        "/api/docs/page.js",
        "/api/openapi.json",
    }
    for file, media_type in (("page.css", "text/css"), ("page.js", "text/javascript")):
        found = client.get(f"/api/docs/{file}")
        assert found.headers["content-type"].startswith(media_type)
        assert not re.search(r"https?://|@import|url\(|innerHTML|eval\(", found.text)
    # What stands in the page itself the policy forbids: neither script nor style nor handler of an event.
    assert not re.search(r"<script>|<style|style=|<img|<iframe|\son\w+=", answer.text)
    for methods in document["paths"].values():
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in answer.text


@pytest.mark.parametrize("page", list(PAGES))
def test_the_pages_of_mailed_links_load_their_own_files_and_call_their_own_operation(client, document, page):
    answer = client.get(f"/{page}")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert set(re.findall(r'(?:src|href)="([^"]*)"', answer.text)) == {"/api/docs/page.css", "/api/docs/links.js"}
    assert not re.search(r"<script>|<style|style=|<img|<iframe|\son\w+=", answer.text)
    script = client.get("/api/docs/links.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert not re.search(r"https?://|innerHTML|eval\(", script.text)
    assert "`/api/v1/auth/${name}`" in script.text
    assert f'data-name="{page}"' in answer.text
    assert f"{API}/auth/{page}" in document["paths"]
    assert {each.page for each in WORDINGS.values()} == set(PAGES)


def test_a_problems_type_leads_to_what_it_means(client):
    kind = client.get("/nothing").json()["type"]
    page, _, anchor = kind.partition("#")
    assert f'id="{anchor}"' in client.get(page).text


def references(told: Any) -> Iterator[str]:
    if isinstance(told, dict):
        if isinstance(told.get("$ref"), str):
            yield told["$ref"]
        for each in told.values():
            yield from references(each)
    elif isinstance(told, list):
        for each in told:
            yield from references(each)
