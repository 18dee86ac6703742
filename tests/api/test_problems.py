"""Every error is a problem with a stable code, and says nothing that it shouldn't."""

import importlib
import logging
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest

import api
import application
import domain
import infrastructure
import projections
from api.app import OPERATIONS
from api.openapi import refusals_of
from api.problems import STATUS
from domain.kernel import Refused
from projections.accounts.directory import ACCOUNTS
from projections.ports import StoreAway
from tests.api.stand import API, pointers, problem
from tests.architecture.sources import ROOT


def refusals(kind: type[Refused] = Refused) -> Iterator[type[Refused]]:
    for each in kind.__subclasses__():
        if each.__module__.split(".")[0] != "tests":
            yield each
        yield from refusals(each)


def test_every_refusal_has_a_status_and_a_code_of_its_own():
    for package in (domain, application, projections, infrastructure, api):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    known = set(refusals())
    assert known - STATUS.keys() == set()
    codes = [each.code for each in known]
    assert sorted(codes) == sorted(set(codes))
    assert all(400 <= status < 500 for status in STATUS.values())


def test_the_documents_tell_every_code_with_its_status():
    told = set(re.findall(r"^\| (\d+) \| `(\w+)` \|", (ROOT / "docs" / "http.md").read_text(), re.MULTILINE))
    assert told == {
        *((str(status), kind.code) for kind, status in STATUS.items()),
        *(("500", "internal_error"), ("503", "unavailable"), ("504", "took_too_long")),
    }


def test_every_operation_tells_only_refusals_that_have_a_status():
    assert {refused for each in OPERATIONS for refused in refusals_of(each)} <= STATUS.keys()


def test_unknown_addresses_and_methods_are_problems(client):
    problem(client.get("/nothing"), 404, "no_such_route")
    problem(client.get(f"{API}/nothing"), 404, "no_such_route")
    problem(client.put(f"{API}/accounts"), 405, "method_not_allowed")
    assert client.put(f"{API}/accounts").headers["allow"]


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"])
def test_only_json_is_taken(acme, media_type):
    answer = acme.admin.ask("POST", "/accounts", headers={"Content-Type": media_type}, content=b'{"name": "A"}')
    problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("media_type", ["application/merge-patch+json", "application/json; charset=utf-8"])
def test_an_edit_may_say_that_it_is_a_merge_patch(acme, media_type):
    id = acme.admin.makes("/accounts", {"name": "A"})
    headers = {"Content-Type": media_type}
    answer = acme.admin.ask("PATCH", f"/accounts/{id}", headers=headers, content=b'{"name": "B"}')
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "raw",
    [b"{", b"\xff", b'{"name": "\xff"}', b'{"name": "\\ud800"}', b'{"name":' * 100_000, b"x", b'{"name": 1, "size": '],
    ids=range(7),
)
def test_what_is_no_json_is_malformed(acme, raw):
    answer = acme.admin.ask("POST", "/accounts", headers={"Content-Type": "application/json"}, content=raw)
    problem(answer, 400, "malformed_json")


def test_a_body_that_is_too_large_is_refused(acme):
    problem(acme.admin.post("/accounts", {"name": "A" * 1_000_001}), 413, "too_large")


def test_every_bad_field_is_pointed_to(acme):
    body = {
        "amount": "much",
        "currency": "usd",
        "probability": 101,
        "expected_close": "soon",
        "owner": 7,
        "competitors": ["A", 5],
        "lines": [{"quantity": "1", "discount": True, "price/unit": 1}, 5],
        "a~b": 1,
    }
    told = problem(acme.admin.post("/deals", body), 422, "invalid_request")
    assert pointers(told) == {
        *("/name", "/amount", "/currency", "/probability", "/expected_close", "/owner", "/a~0b", "/competitors/1"),
        *("/lines/0/discount", "/lines/0/price~1unit", "/lines/1"),
    }
    said = {each["pointer"]: each["detail"] for each in told["errors"]}
    assert said["/name"] == "This field is required."
    assert said["/probability"] == "Give 100 or less."
    assert said["/currency"] == "Give ISO 4217 code, such as USD."
    assert said["/expected_close"] == "Give a date such as 2017-06-30."


def test_a_rule_that_is_broken_points_to_its_field(acme):
    id = acme.admin.makes("/deals", {"name": "A"})
    told = problem(acme.admin.post(f"/deals/{id}/close", {"outcome": "lost"}), 422, "lost_reason_required")
    assert pointers(told) == {"/reason"}
    told = problem(acme.admin.post(f"/deals/{id}/close", {"outcome": "won"}), 422, "deal_value_required")
    assert pointers(told) == {"/amount"}


def test_a_value_that_is_taken_says_where(acme):
    acme.admin.makes("/accounts", {"name": "A", "external_id": "taken"})
    told = problem(acme.admin.post("/accounts", {"name": "B", "external_id": "taken"}), 409, "already_taken")
    assert pointers(told) == {"/external_id"}


@pytest.mark.parametrize("text", ["a\0b", "\x1b[31m"])
def test_control_characters_get_nowhere(acme, text):
    problem(acme.admin.post("/accounts", {"name": text}), 422, "invalid_value")
    told = problem(acme.admin.get("/accounts", industry=text), 422, "invalid_request")
    assert pointers(told) == {"/industry"}
    problem(acme.admin.get("/search", q=text), 422, "invalid_request")


def test_a_request_keeps_its_id(client):
    assert client.get("/live", headers={"X-Request-Id": "abc-1.2_3"}).headers["x-request-id"] == "abc-1.2_3"
    for bad in ("", "a b", "x" * 101, 'a"b'):
        assert client.get("/live", headers={"X-Request-Id": bad}).headers["x-request-id"] not in ("", bad)
    told = problem(client.get("/nothing", headers={"X-Request-Id": "mine"}), 404, "no_such_route")
    assert told["request_id"] == "mine"


def test_a_request_id_is_found_again_in_the_audit_trail(acme):
    id = acme.admin.post("/accounts", {"name": "A"}, **{"X-Request-Id": "find-me"}).json()["id"]
    entry = acme.admin.get("/audit", entity="account", id=id).json()["items"][0]
    assert entry["request"] == "find-me"
    assert entry["address"]


class Broken(Exception):
    """Something that nobody thought of, which quotes a secret."""


def failing(error: Exception) -> Any:
    def get(*_: Any) -> Any:
        raise error

    return get


def test_an_unexpected_error_is_told_to_the_log_alone(acme, monkeypatch, caplog):
    monkeypatch.setattr(ACCOUNTS, "get", failing(Broken("the secret")))
    id = acme.admin.makes("/accounts", {"name": "A"})
    answer = acme.admin.ask("GET", f"/accounts/{id}", headers={"X-Request-Id": "look-here"})
    problem(answer, 500, "internal_error")
    assert "secret" not in answer.text
    assert "Broken" not in answer.text
    [record] = [each for each in caplog.records if each.name == "clientforge.api" and each.levelno == logging.ERROR]
    assert record.__dict__["request"] == "look-here"
    assert "Broken" in record.getMessage()
    assert "test_problems.py" in record.getMessage()
    assert record.exc_info is None
    assert "secret" not in record.getMessage(), "a database quotes values in its messages"


def test_a_store_that_is_away_asks_for_patience(acme, monkeypatch):
    monkeypatch.setattr(ACCOUNTS, "get", failing(StoreAway("PostgreSQL: postgresql://app:password@db")))
    answer = acme.admin.get(f"/accounts/{acme.admin.makes('/accounts', {'name': 'A'})}")
    problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "1"
    assert "password" not in answer.text


def test_every_answer_forbids_what_no_answer_needs(acme, client):
    for answer in (client.get("/live"), client.get("/nothing"), acme.admin.get("/accounts")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


def test_head_answers_what_get_does_without_its_body(acme):
    for path in ("/live", f"{API}/accounts", "/api/docs"):
        shown = acme.admin.ask("GET", path) if path.startswith("/api") else acme.client.get(path)
        headers = {"Authorization": f"Bearer {acme.admin.token}"}
        answer = acme.client.head(path, headers=headers)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"] == shown.headers["content-type"]
