"""Limits of an API key's own: they narrow what holds for all, and nobody else uses them up."""

from dataclasses import replace

import pytest

from api.app import OPERATIONS
from domain.security.events import ApiKeyEdited, ApiKeyEnded, ApiKeyMade
from infrastructure.api_keys import KeyToken
from tests.api.doors import at, opened
from tests.api.stand import API, NOBODY, pointers, problem
from tests.api.uploads import attach


def make(person, **rate_limits):
    answer = person.post("/auth/api-keys", {"name": "Nightly export", "rate_limits": rate_limits})
    assert answer.status_code == 201, answer.text
    return answer.json()


def ask(client, key, path="/auth/me", **params):
    return client.get(API + path, headers={"Authorization": f"Bearer {key}"}, params=params)


def test_a_keys_own_limit_holds_and_is_told(startup):
    key = make(startup.rep, general="2 per hour")["key"]
    answers = [ask(startup.client, key) for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert {each.headers["ratelimit-policy"] for each in answers} == {'"general";q=2;w=3600'}
    assert [each.headers["ratelimit"].split(";")[1] for each in answers] == ["r=1", "r=0", "r=0"]
    told = problem(answers[2], 429, "too_many_requests")
    assert (told["details"]["counted_by"], told["details"]["quota"]) == ("key", 2)
    assert answers[2].headers["retry-after"] == str(told["details"]["retry_after"])


def test_it_is_one_keys_alone_and_one_kinds(startup):
    key, other = (make(startup.rep, general="1 per hour")["key"] for _ in range(2))
    assert ask(startup.client, key).status_code == 200
    problem(ask(startup.client, key), 429, "too_many_requests")
    assert ask(startup.client, other).status_code == 200
    assert ask(startup.client, key, "/search", q="a").status_code == 200
    assert startup.rep.get("/auth/me").status_code == 200


def test_it_never_widens_what_holds_for_all(application, startup):
    key = make(startup.rep, general="100 per hour")["key"]
    with opened(application, peer="198.51.100.120", rate_limit_general="2 per hour") as client:
        answers = [ask(client, key) for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert answers[0].headers["ratelimit-policy"] == '"general";q=2;w=3600'


def test_nobody_uses_up_the_limit_of_a_key_that_they_do_not_have(startup):
    token = KeyToken.read(make(startup.rep, general="1 per hour")["key"])
    forged = KeyToken(tenant=token.tenant, user=token.user, id=token.id, secret=bytes(32))
    for _ in range(3):
        problem(ask(startup.client, forged.text), 401, "invalid_token")
    assert ask(startup.client, token.text).status_code == 200


def test_a_change_holds_for_the_next_request_and_null_lifts(startup):
    made = make(startup.rep, general="1 per hour", search="5 per hour")
    path = f"/auth/api-keys/{made['id']}"
    assert ask(startup.client, made["key"]).status_code == 200
    problem(ask(startup.client, made["key"]), 429, "too_many_requests")
    changed = startup.rep.patch(path, {"rate_limits": {"general": "3 per hour"}}).json()
    assert changed["rate_limits"] == {"general": "3 per hour", "search": "5 per hour"}
    assert ask(startup.client, made["key"]).headers["ratelimit-policy"] == '"general";q=3;w=3600'
    assert startup.rep.patch(path, {"rate_limits": {"general": None}}).status_code == 200
    assert [ask(startup.client, made["key"]).status_code for _ in range(4)] == [200] * 4
    [listed] = startup.rep.get("/auth/api-keys").json()["items"]
    assert listed["rate_limits"] == {"search": "5 per hour"}


def test_only_its_user_changes_a_key(startup, rival):
    made = make(startup.rep)
    for person in (startup.admin, rival.admin):
        body = {"rate_limits": {"general": "1 per hour"}}
        problem(person.patch(f"/auth/api-keys/{made['id']}", body), 404, "not_found")
    problem(startup.rep.patch(f"/auth/api-keys/{NOBODY}", {"rate_limits": {}}), 404, "not_found")


@pytest.mark.parametrize(
    "limit",
    [
        "many",
        "0 per hour",
        "5 per fortnight",
        "1 per second; 5 per minute",
        "10001 per hour",
        "5 per 2 days",
        "5 per 99999999999999999999 years",
        "99999999999999999999999 per hour",
        "\N{ARABIC-INDIC DIGIT FIVE} per hour" + "\N{KELVIN SIGN}",
    ],
)
def test_what_is_no_limit_is_refused_by_its_field(startup, limit):
    body = {"name": "A", "rate_limits": {"search": limit}}
    told = problem(startup.rep.post("/auth/api-keys", body), 422, "invalid_value")
    assert pointers(told) == {"/rate_limits/search"}


def test_kinds_that_no_key_asks_for_have_none(startup):
    for name in ("login", "auth", "other"):
        body = {"name": "A", "rate_limits": {name: "1 per hour"}}
        problem(startup.rep.post("/auth/api-keys", body), 422, "invalid_request")
    for_keys = {each.limit for each in OPERATIONS if not each.public and not each.by_person}
    assert for_keys <= {"general", "search", "upload", "ai"}


def test_making_changing_and_ending_keys_is_told_so_often_within_an_hour_and_no_more(application, startup):
    with opened(application, security_events_per_hour=2) as client:
        rep = at(client, startup.rep)
        for _ in range(4):
            made = make(rep, general="9 per hour")
            rep.patch(f"/auth/api-keys/{made['id']}", {"rate_limits": {"general": "8 per hour"}})
            rep.delete(f"/auth/api-keys/{made['id']}")
    journal = application.store.stream(startup.profile.id, f"access-{startup.rep.id}")
    told = [type(each.event) for each in journal]
    assert told == [ApiKeyMade, ApiKeyEdited, ApiKeyEnded] * 2
    assert journal[0].event.rate_limits == {"general": "9 per hour"}
    assert journal[1].event.rate_limits == {"general": "8 per hour"}


def test_an_upload_counts_once(startup):
    account = startup.rep.makes("/accounts", {"name": "A"})
    program = replace(startup.rep, token=make(startup.rep, upload="2 per hour")["key"])
    assert [attach(program, account).status_code for _ in range(3)] == [201, 201, 429]
