"""If-Match, idempotency keys and positions: how clients write and read without losing anything."""

import time
from uuid import uuid4

import pytest

from tests.api.kinds import body_of, each_kind
from tests.api.stand import problem


@each_kind
def test_a_write_that_demands_another_version_is_refused(acme, kind):
    admin, path = acme.admin, f"/{kind.path}/{acme.admin.makes(f'/{kind.path}', body_of(kind))}"
    stale = {"If-Match": '"7"'}
    for answer in (
        admin.patch(path, kind.edit_example, **stale),
        admin.delete(path, **stale),
        admin.post(f"{path}/restore", None, **stale),
    ):
        assert problem(answer, 412, "version_mismatch")["details"] == {"version": 1}
    assert admin.get(path).json()["version"] == 1
    assert admin.patch(path, kind.edit_example, **{"If-Match": '"1"'}).status_code == 200
    assert admin.delete(path, **{"If-Match": '"2"'}).status_code == 200
    assert admin.post(f"{path}/restore", None, **{"If-Match": '"3"'}).status_code == 200


@pytest.mark.parametrize("tag", ["1", 'W/"1"', '"one"', '"1", "2"', '""', '"99999999999999999999"'])
def test_an_if_match_that_is_no_version_is_malformed(acme, tag):
    id = acme.admin.makes("/accounts", {"name": "Acme"})
    problem(acme.admin.patch(f"/accounts/{id}", {"name": "B"}, **{"If-Match": tag}), 400, "malformed_header")
    assert acme.admin.get(f"/accounts/{id}").json()["name"] == "Acme"


def test_a_star_matches_any_version(acme):
    id = acme.admin.makes("/accounts", {"name": "Acme"})
    assert acme.admin.patch(f"/accounts/{id}", {"name": "B"}, **{"If-Match": "*"}).status_code == 200


@each_kind
def test_repeating_a_creation_with_its_key_gives_the_first_answer(startup, kind):
    body, key = body_of(kind), {"Idempotency-Key": str(uuid4())}
    first = startup.admin.post(f"/{kind.path}", body, **key)
    again = startup.admin.post(f"/{kind.path}", body, **key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["location"] == first.headers["location"]
    assert startup.application.store.head(startup.profile.id) == first.json()["position"]


def test_repeating_a_verb_with_its_key_gives_the_first_answer(acme):
    id, key = acme.admin.makes("/deals", {"name": "A"}), {"Idempotency-Key": "close-it"}
    body = {"outcome": "lost", "reason": "price"}
    first = acme.admin.post(f"/deals/{id}/close", body, **key)
    assert first.status_code == 200
    assert acme.admin.post(f"/deals/{id}/close", body, **key).json() == first.json()
    problem(acme.admin.post(f"/deals/{id}/close", body), 409, "deal_not_open")


def test_a_key_belongs_to_one_request(acme):
    key = {"Idempotency-Key": str(uuid4())}
    id = acme.admin.post("/accounts", {"name": "A"}, **key).json()["id"]
    problem(acme.admin.post("/accounts", {"name": "B"}, **key), 422, "idempotency_key_reused")
    problem(acme.admin.post("/products", {"name": "A"}, **key), 422, "idempotency_key_reused")
    problem(acme.admin.post(f"/accounts/{id}/restore", None, **key), 422, "idempotency_key_reused")


def test_a_key_is_its_users_own(acme):
    key = {"Idempotency-Key": str(uuid4())}
    first = acme.admin.post("/accounts", {"name": "A"}, **key).json()
    assert acme.rep.post("/accounts", {"name": "B"}, **key).json()["id"] != first["id"]


def test_the_same_body_written_otherwise_is_the_same_request(acme):
    key = {"Idempotency-Key": str(uuid4()), "Content-Type": "application/json"}
    texts = ('{"name": "A", "industry": null}', '{"name":"A"}')
    answers = [acme.admin.ask("POST", "/accounts", headers=key, content=text) for text in texts]
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize("key", ["", "with blank", "x" * 256, "ü"])
def test_a_key_of_other_characters_is_malformed(acme, key):
    answer = acme.admin.ask("POST", "/accounts", {"name": "A"}, headers={"Idempotency-Key": key.encode()})
    problem(answer, 400, "malformed_header")


def test_a_query_that_demands_what_was_never_written_says_that_it_is_stale(acme):
    id = acme.admin.makes("/accounts", {"name": "A"})
    answer = acme.admin.ask("GET", f"/accounts/{id}", headers={"ClientForge-Min-Position": "999999999"})
    assert (answer.status_code, answer.headers["clientforge-stale"]) == (200, "true")


def test_while_a_projection_is_parked_its_queries_say_at_once_that_they_are_stale(startup):
    admin = startup.admin
    old = admin.makes("/accounts", {"name": "A"})
    admin.get(f"/accounts/{old}")
    with startup.application.database.transaction(startup.profile.id) as transaction:
        transaction.execute(
            "UPDATE projection_checkpoints SET parked_at = now()"
            " WHERE tenant_id = %(tenant)s AND projection = 'accounts'"
        )
    new = admin.makes("/accounts", {"name": "B"})
    started = time.perf_counter()
    missing, listed, other = admin.get(f"/accounts/{new}"), admin.get("/accounts"), admin.get("/products")
    assert time.perf_counter() - started < 2 * startup.application.settings.read_your_writes_seconds
    problem(missing, 404, "not_found")
    assert missing.headers["clientforge-stale"] == "true"
    assert [each["id"] for each in listed.json()["items"]] == [old]
    assert listed.headers["clientforge-stale"] == "true"
    assert "clientforge-stale" not in other.headers
    assert 'clientforge_stale_reads_total{route="/api/v1/accounts/{id}"}' in admin.client.get("/metrics").text


def test_a_position_that_a_colleague_tells_is_waited_for(acme):
    created = acme.admin.post("/accounts", {"name": "A"})
    position = {"ClientForge-Min-Position": created.headers["clientforge-position"]}
    answer = acme.viewer.ask("GET", f"/accounts/{created.json()['id']}", headers=position)
    assert answer.status_code == 200
    assert "clientforge-stale" not in answer.headers


@pytest.mark.parametrize("position", ["-1", "1.5", "x", "1" * 19, "²"])
def test_a_position_that_is_no_number_is_malformed(acme, position):
    answer = acme.admin.ask("GET", "/accounts", headers={"ClientForge-Min-Position": position.encode()})
    problem(answer, 400, "malformed_header")
