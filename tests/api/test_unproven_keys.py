"""Whose limit a key's request counts against: nobody's but its address's before the key is proven to be one."""

import threading
from typing import Any
from uuid import UUID

from msgspec import structs
from uuid_utils.compat import uuid7

from domain.tenants.events import Plan
from infrastructure.api_keys import KeyToken
from tests.api.doors import at, opened
from tests.api.stand import API, company, problem
from tests.api.test_bounds import locked
from tests.api.test_key_limits import ask, make
from tests.api.test_limits import PROXIES


def forged(key: str, **changes: Any) -> str:
    """The key as somebody writes it who knows all of it but the secret."""
    return structs.replace(KeyToken.read(key), secret=bytes(32), **changes).text


def asked_from(client: Any, key: str, address: str) -> Any:
    headers = {"Authorization": f"Bearer {key}", "X-Forwarded-For": address}
    return client.get(f"{API}/auth/me", headers=headers)


def counted_by(answer: Any) -> str:
    told = problem(answer, 429, "too_many_requests")
    return str(told["details"]["counted_by"])


def test_a_forged_key_spends_its_address_and_nothing_of_the_keys(application, startup):
    key = make(startup.rep)["key"]
    with opened(application, peer="10.0.0.1", rate_limit_general="3 per hour", **PROXIES) as client:
        assert asked_from(client, key, "198.51.100.130").status_code == 200
        for _ in range(3):
            problem(asked_from(client, forged(key), "198.51.100.131"), 401, "invalid_token")
        assert counted_by(asked_from(client, forged(key), "198.51.100.131")) == "address"
        assert [asked_from(client, key, "198.51.100.132").status_code for _ in range(2)] == [200, 200]


def test_a_forged_key_spends_nothing_of_one_that_this_process_has_not_seen(application, startup):
    key = make(startup.rep)["key"]
    with opened(application, peer="10.0.0.1", rate_limit_general="2 per hour", **PROXIES) as client:
        for _ in range(2):
            problem(asked_from(client, forged(key), "198.51.100.133"), 401, "invalid_token")
        answers = [asked_from(client, key, "198.51.100.134") for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]


def test_a_forged_key_picks_no_plan(application, client):
    large = company(application, client, plan=Plan.ENTERPRISE)
    key = make(large.rep)["key"]
    plans = {Plan.ENTERPRISE: {"general": "9 per hour"}}
    settings: dict[str, Any] = {"rate_limit_general": "2 per hour", "rate_limit_plans": plans}
    with opened(application, peer="10.0.0.1", **settings, **PROXIES) as door:
        for _ in range(2):
            problem(door.get(f"{API}/auth/me", headers={"X-Forwarded-For": "198.51.100.135"}), 401, "not_authenticated")
        for text in (forged(key), forged(key, id=uuid7()), forged(key, user=UUID(int=1))):
            answer = asked_from(door, text, "198.51.100.135")
            assert counted_by(answer) == "address"
            assert answer.headers["ratelimit-policy"] == '"general";q=2;w=3600'
        answers = [asked_from(door, key, "198.51.100.136") for _ in range(10)]
    assert [each.status_code for each in answers] == [200] * 9 + [429]
    assert answers[-1].headers["ratelimit-policy"] == '"general";q=9;w=3600'


def test_a_key_that_has_ended_picks_no_plan_any_more(application, client):
    large = company(application, client, plan=Plan.ENTERPRISE)
    made = make(large.rep)
    plans = {Plan.ENTERPRISE: {"general": "9 per hour"}}
    with opened(application, peer="198.51.100.137", rate_limit_general="5 per hour", rate_limit_plans=plans) as door:
        assert ask(door, made["key"]).status_code == 200
        at(door, large.rep).delete(f"/auth/api-keys/{made['id']}")
        problem(ask(door, made["key"]), 401, "invalid_token")
        answer = ask(door, made["key"])
    problem(answer, 401, "invalid_token")
    assert answer.headers["ratelimit-policy"] == '"general";q=5;w=3600'


def test_a_key_counts_as_itself_at_all_its_addresses(application, startup):
    """And neither its user nor another of their keys pays for it."""
    key, other = (make(startup.rep)["key"] for _ in range(2))
    with opened(application, peer="10.0.0.1", rate_limit_general="3 per hour", **PROXIES) as client:
        answers = [asked_from(client, key, f"198.51.100.{number}") for number in range(140, 144)]
        assert [each.status_code for each in answers] == [200, 200, 200, 429]
        assert counted_by(answers[3]) == "key"
        assert asked_from(client, other, "198.51.100.144").status_code == 200
        assert asked_from(client, startup.rep.token, "198.51.100.145").status_code == 200


def test_a_key_from_a_full_address_is_refused_before_anybody_looks_it_up(application, startup, urls):
    """So that a flood of made-up keys costs the database nothing."""
    key = make(startup.rep)["key"]
    with opened(application, peer="198.51.100.146", rate_limit_general="2 per hour") as client:
        for _ in range(2):
            problem(ask(client, forged(key)), 401, "invalid_token")
        answers: list[Any] = []
        asking = threading.Thread(target=lambda: answers.append(ask(client, forged(key))))
        with locked(urls, "api_keys"):  # whoever looks waits as long as this lasts
            asking.start()
            asking.join(5)
            told = list(answers)
        asking.join()
    assert [counted_by(each) for each in told] == ["address"]
