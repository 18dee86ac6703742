"""Cursors, filters and sorts of every list, filled with whatever comes to mind: answered or refused, never a fault."""

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from msgspec import structs

from api.app import OPERATIONS, PREFIX
from projections.pages import Cursors, InvalidCursor
from tests.api.kinds import KINDS, body_of
from tests.fuzzing.altered import altered
from tests.journeys.system import EMAIL, PASSWORD

QUESTIONS = [each for each in OPERATIONS if each.method == "GET" and structs.fields(each.query)]
LISTS = [each for each in QUESTIONS if "cursor" in each.query.__struct_fields__]
ODD = [
    *("", " ", "any", "true", "null", "NaN", "Infinity", "-1", "0", "1e400", "9" * 50, "0.1", "%", "_", "\\", "'"),
    *("2017-02-30", "0001-01-01", "9999-12-31", "2017-06-30T12:00:00Z", "0001-01-01T00:00:00+14:00"),
    *("9999-12-31T23:59:59-14:00", "2017-06-30T23:59:60Z", "24:00", "me", "-name", "--name", "name,name", ","),
    *("00000000-0000-0000-0000-000000000000", "a@b", "USD", "usd", "\x00", "\x1f", "\u2028", "\ufffe", "é" * 300),
    *('{"$ne": null}', "*", "AND OR NOT", "a" * 2000, ("a," * 1100)),
]
thoroughly = settings(max_examples=60, suppress_health_check=list(HealthCheck), database=None)


@pytest.fixture(scope="module")
def ask(running_system):
    """Asks as an admin whose tenant has three records of each kind."""
    running_system.run("tenant", "create", "Odd Inc.", "--subdomain", "odd", "--max-users", "0")
    running_system.run("seed", "admin", "--tenant", "odd", "--email", EMAIL, "--password", PASSWORD)
    body = {"email": EMAIL, "password": PASSWORD, "tenant": "odd"}
    tokens = running_system.client.post("/api/v1/auth/login", json=body).raise_for_status().json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    made = {}
    for kind in KINDS:
        for _ in range(3):
            answer = running_system.client.post(f"{PREFIX}/{kind.path}", json=body_of(kind), headers=headers)
            made[kind.path] = answer.raise_for_status().json()["id"]

    host = {"entity": "account", "record": made["accounts"]}
    sent = running_system.client.post(
        f"{PREFIX}/files", params=host, files={"file": ("a.txt", b"a text")}, headers=headers
    )
    made["files"] = sent.raise_for_status().json()["id"]

    def ask(operation, parameters):
        path = operation.path.replace("{id:uuid}", made.get(operation.tag, ""))
        return running_system.client.get(PREFIX + path, params=parameters, headers=headers)

    return ask


@pytest.mark.parametrize("operation", QUESTIONS, ids=lambda each: each.name)
def test_whatever_is_asked_is_answered_or_refused(ask, operation):
    names = [field.encode_name for field in structs.fields(operation.query)]
    value = st.sampled_from(ODD) | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)

    @given(st.lists(st.tuples(st.sampled_from(names), value), max_size=4))
    @thoroughly
    def every_question(parameters):
        answer = ask(operation, parameters)
        assert answer.status_code in (200, 422), (parameters, answer.status_code, answer.text)

    every_question()


@pytest.mark.parametrize("operation", LISTS, ids=lambda each: each.name)
def test_an_altered_cursor_is_none(ask, operation):
    cursor = ask(operation, {"limit": "1"}).raise_for_status().json()["next"] or f"{'A' * 32}.W10"

    @given(altered(cursor, st.characters(exclude_categories=["Cs"])) | st.text(max_size=80))
    @example(cursor + "=")
    @example("." + cursor.partition(".")[2])
    @thoroughly
    def every_cursor(text):
        assume(text != cursor)
        answer = ask(operation, {"limit": "1", "cursor": text})
        assert answer.status_code == 422, answer.text
        assert answer.json()["code"] in ("invalid_cursor", "invalid_request")

    every_cursor()


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
@settings(max_examples=1000)
def test_no_text_is_a_cursor(text):
    with pytest.raises(InvalidCursor):
        Cursors("a tenant", "a list").place(text, (str, int))
