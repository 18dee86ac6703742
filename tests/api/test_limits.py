"""Rate limits: exact over processes, per user and per address, told in headers, and what holds without Redis."""

import multiprocessing
import re
import time
from collections import Counter
from ipaddress import ip_network
from secrets import token_hex
from typing import Any

import pytest
from uuid_utils.compat import uuid7

from api.app import OPERATIONS
from api.auth import account
from api.openapi import refusals_of
from api.refusals import TooManyRequests
from domain.permissions import Role
from domain.tenants.events import Plan
from infrastructure.rate_limits import Partition, RateLimits
from infrastructure.settings import InvalidSettings, Settings
from tests.api.doors import at, gone_redis, log_in, opened, silent_redis
from tests.api.firing import fire
from tests.api.stand import API, company, problem
from tests.fixtures import MASTER_KEY

PROXIES: dict[str, Any] = {"trusted_proxies": (ip_network("10.0.0.0/8"),)}


@pytest.fixture
def limits(application):
    """Limits of 3 per hour for what is general."""
    settings = application.settings.model_copy(update={"rate_limit_general": "3 per hour"})
    return RateLimits(application.redis, settings, prefix=application.settings.redis_prefix)


def of(kind, id=None, limit=None):
    return Partition(kind=kind, id=id or token_hex(8), limit=limit)


def test_a_thousand_requests_to_four_processes_pass_exactly_as_often_as_the_limit_says(application, acme, redis_url):
    allowed = 300
    settings = application.settings
    told = {
        "database_url": settings.database_url.get_secret_value(),
        "redis_url": redis_url,
        "redis_prefix": f"{{{token_hex(4)}}}",
        "jwt_secret": settings.jwt_secret.get_secret_value(),
        "master_key": MASTER_KEY,
        "database_connections": 2,
        "rate_limit_general": f"{allowed} per hour",
    }
    with multiprocessing.get_context("spawn").Pool(4) as processes:
        counts = processes.map(fire, [(told, acme.rep.token, 250)] * 4, chunksize=1)
    assert sum(counts, Counter()) == {200: allowed, 429: 1000 - allowed}


def test_every_operation_is_limited_and_says_so():
    assert all(TooManyRequests in refusals_of(each) for each in OPERATIONS)
    by_limit = {name: {each.name for each in OPERATIONS if each.limit == name} for name in ("auth", "login", "search")}
    assert by_limit == {
        "auth": {
            *("refresh", "log-out", "log-browser-out", "change-password", "make-api-key", "edit-api-key"),
            *("begin-second-factor", "confirm-second-factor", "turn-second-factor-off"),
            *("request-password-reset", "validate-reset-token", "reset-password"),
            *("verify-email", "resend-verification", "accept-invitation"),
        },
        "login": {"log-in", "log-browser-in", "register"},
        "search": {"search"},
    }
    # What else hashes for anybody does so for the token of a mailed link alone, which nobody guesses.
    assert all(each.counted_as is account for each in OPERATIONS if each.limit == "login" and each.hashes)
    assert {each.name for each in OPERATIONS if each.public and each.hashes and each.limit != "login"} == {
        "reset-password",
        "accept-invitation",
    }


def test_the_limits_are_those_that_were_promised():
    defaults = {name: field.default for name, field in Settings.model_fields.items() if name.startswith("rate_limit_")}
    assert defaults == {
        "rate_limit_general": "300 per 15 minutes",
        "rate_limit_auth": "20 per minute",
        "rate_limit_login": "5 per minute",
        "rate_limit_search": "120 per minute",
        "rate_limit_upload": "30 per minute",
        "rate_limit_ai": "100 per hour",
        "rate_limit_plans": {},
    }


def test_one_user_is_limited_at_all_their_addresses(application, startup):
    with opened(application, peer="10.0.0.1", rate_limit_general="3 per hour", **PROXIES) as client:
        rep, other = at(client, startup.rep), at(client, startup.viewer)
        for number in range(3):
            assert rep.ask("GET", "/auth/me", headers={"X-Forwarded-For": f"198.51.100.{number}"}).status_code == 200
        told = problem(
            rep.ask("GET", "/auth/me", headers={"X-Forwarded-For": "198.51.100.9"}), 429, "too_many_requests"
        )
        assert (told["details"]["counted_by"], told["details"]["limit"]) == ("user", "general")
        assert other.ask("GET", "/auth/me", headers={"X-Forwarded-For": "198.51.100.9"}).status_code == 200


def test_one_address_is_limited_for_all_its_users(application, startup):
    with opened(application, peer="198.51.100.77", rate_limit_general="3 per hour") as client:
        for role in (Role.ADMIN, Role.MANAGER, Role.REP):
            assert at(client, startup.people[role]).get("/auth/me").status_code == 200
        told = problem(at(client, startup.viewer).get("/auth/me"), 429, "too_many_requests")
        assert told["details"]["counted_by"] == "address"


def test_a_request_without_a_valid_token_counts_against_its_address(application):
    with opened(application, peer="198.51.100.78", rate_limit_general="2 per hour") as client:
        problem(client.get(f"{API}/accounts"), 401, "not_authenticated")
        problem(client.get(f"{API}/accounts", headers={"Authorization": "Bearer x"}), 401, "invalid_token")
        problem(client.get(f"{API}/accounts"), 429, "too_many_requests")


def test_what_one_limit_refuses_counts_against_no_other(limits):
    user, address = of("user", limit="1 per hour"), of("address")
    assert limits.take("general", [user, address]).passed
    for _ in range(10):
        refused = limits.take("general", [user, address])
        assert (refused.passed, refused.kind) == (False, "user")
    assert limits.take("general", [address]).remaining == 1


def test_an_api_key_can_have_a_limit_of_its_own(limits):
    key = of("key", limit="5 per hour")
    assert [limits.take("general", [key]).passed for _ in range(6)] == [True] * 5 + [False]


def test_a_plan_can_have_other_limits(application, client):
    plans = {Plan.ENTERPRISE: {"general": "3 per hour"}}
    large, small = company(application, client, plan=Plan.ENTERPRISE), company(application, client, plan=Plan.STARTER)
    settings: dict[str, Any] = {"rate_limit_general": "1 per hour", "rate_limit_plans": plans}
    for made, address, passes in ((large, "198.51.100.81", 3), (small, "198.51.100.82", 1)):
        with opened(application, peer=address, **settings) as door:
            rep = at(door, made.rep)
            assert [rep.get("/auth/me").status_code for _ in range(passes + 1)] == [200] * passes + [429]


def test_each_kind_of_operation_has_a_count_of_its_own(application, startup):
    settings: dict[str, Any] = {"rate_limit_general": "1 per hour", "rate_limit_search": "1 per hour"}
    with opened(application, peer="198.51.100.83", **settings) as client:
        rep = at(client, startup.rep)
        assert startup.admin.get(f"/accounts/{startup.admin.makes('/accounts', {'name': 'A'})}").status_code == 200
        assert startup.admin.get("/search", q="a").status_code == 200
        assert rep.get("/auth/me").status_code == 200
        assert rep.get("/search", q="a").status_code == 200
        problem(rep.get("/search", q="a"), 429, "too_many_requests")


def test_headers_tell_what_is_left_on_answers_of_all_kinds(application, startup):
    with opened(application, peer="198.51.100.84", rate_limit_general="3 per 15 minutes") as client:
        rep = at(client, startup.rep)
        answers = [
            rep.get("/auth/me"),
            rep.get("/accounts/01900000-0000-7000-8000-00000000dead"),
            rep.post("/accounts", {}),
            rep.get("/auth/me"),
        ]
    assert [each.status_code for each in answers] == [200, 404, 422, 429]
    assert {each.headers["ratelimit-policy"] for each in answers} == {'"general";q=3;w=900'}
    told = [re.findall(r'^"general";r=(\d);t=(\d+)$', each.headers["ratelimit"])[0] for each in answers]
    assert [int(left) for left, _ in told] == [2, 1, 0, 0]
    assert int(told[0][1]) == 900
    assert all(890 <= int(seconds) <= 900 for _, seconds in told)
    details = answers[3].json()["details"]
    assert (details["quota"], details["window"]) == (3, 900)
    assert answers[3].headers["retry-after"] == str(details["retry_after"])


def test_who_waits_as_long_as_retry_after_says_passes_and_nobody_earlier(application, startup):
    with opened(application, peer="198.51.100.85", rate_limit_general="2 per 3 seconds") as client:
        rep = at(client, startup.rep)
        started = time.monotonic()
        assert [rep.get("/auth/me").status_code for _ in range(2)] == [200, 200]
        refused = rep.get("/auth/me")
        time.sleep(1)
        assert rep.get("/auth/me").status_code == 429
        time.sleep(max(0.0, int(refused.headers["retry-after"]) - 1))
        assert rep.get("/auth/me").status_code == 200
        assert time.monotonic() - started >= 3


@pytest.mark.parametrize("path", ["/live", "/ready", "/metrics"])
def test_what_machines_ask_is_not_limited(application, path):
    with opened(application, peer="198.51.100.86", rate_limit_general="1 per hour") as client:
        answers = [client.get(path) for _ in range(3)]
    assert [each.status_code for each in answers] == [200] * 3
    assert "ratelimit" not in answers[0].headers


def test_nobody_tries_many_passwords_from_one_address(application, startup):
    with opened(application, peer="198.51.100.87", rate_limit_login="3 per minute") as client:
        for number in range(3):
            problem(log_in(client, startup.profile.subdomain, f"a{number}@example.com"), 401, "wrong_credentials")
        refused = log_in(client, startup.profile.subdomain, "a9@example.com")
        assert problem(refused, 429, "too_many_requests")["details"]["counted_by"] == "address"
        assert refused.headers["ratelimit-policy"] == '"login";q=3;w=60'


def test_nobody_tries_many_passwords_of_one_user_from_many_addresses(application, startup):
    """By whatever name the tenant goes, and however the address is written."""
    names = [startup.profile.subdomain, str(startup.profile.id), startup.profile.subdomain.upper()]
    with opened(application, peer="10.0.0.1", rate_limit_login="3 per minute", **PROXIES) as client:
        for number, name in enumerate(names):
            email = startup.rep.email.upper() if number else startup.rep.email
            answer = log_in(client, name, email, f"203.0.113.{number}")
            problem(answer, 401, "wrong_credentials")
            assert answer.headers["ratelimit"].startswith(f'"login";r={2 - number};')
        refused = log_in(client, names[0], startup.rep.email, "203.0.113.99")
        assert problem(refused, 429, "too_many_requests")["details"]["counted_by"] == "account"
        problem(log_in(client, names[0], startup.rep.email, "203.0.113.98", "/auth/browser"), 429, "too_many_requests")
        problem(log_in(client, names[0], startup.viewer.email, "203.0.113.99"), 401, "wrong_credentials")


def test_the_counts_name_nobody(application, startup):
    with opened(application, peer="198.51.100.88") as client:
        log_in(client, startup.profile.subdomain, "somebody@example.com")
    keys = [key.decode() for key in application.redis.scan_iter(f"{application.settings.redis_prefix}:limit:*")]
    assert any("/account/" in key for key in keys)
    assert not any("@" in key for key in keys)


def test_without_redis_each_process_limits_by_itself_and_says_so(application, startup):
    with opened(application, peer="198.51.100.89", away=gone_redis(), rate_limit_general="3 per hour") as client:
        rep = at(client, startup.rep)
        answers = [rep.get("/auth/me") for _ in range(5)]
        metrics = client.get("/metrics").text
    assert [each.status_code for each in answers] == [200] * 3 + [429] * 2
    assert [each.headers["ratelimit"] for each in answers[:3]] == [f'"general";r={left};t=3600' for left in (2, 1, 0)]
    assert 'clientforge_rate_limit_fallbacks_total{limit="general"} 5.0' in metrics
    assert 'clientforge_rate_limit_refusals_total{limit="general"} 2.0' in metrics


def test_without_redis_nobody_logs_in(application, startup):
    with opened(application, away=gone_redis()) as client:
        refused = log_in(client, startup.profile.subdomain, startup.rep.email)
    problem(refused, 503, "unavailable")
    assert refused.headers["retry-after"] == "1"


def test_a_redis_that_never_answers_costs_its_time_out_once_and_not_every_request(application):
    with silent_redis() as client:
        limits = RateLimits(client, application.settings)
        began = time.monotonic()
        assert limits.take("general", [of("user")]).passed
        first, began = time.monotonic() - began, time.monotonic()
        assert all(limits.take("general", [of("user")]).passed for _ in range(50))
        assert (first > 0.4, time.monotonic() - began < 0.8) == (True, True)


def test_when_redis_is_back_it_counts_again(application):
    told = []
    settings = application.settings.model_copy(update={"rate_limit_general": "2 per hour"})
    limits = RateLimits(gone_redis(), settings, on_fallback=told.append, prefix=settings.redis_prefix)
    user = of("user")
    assert [limits.take("general", [user]).passed for _ in range(3)] == [True, True, False]
    limits._script.registered_client = application.redis
    time.sleep(1.1)
    assert limits.take("general", [user]).passed
    assert told == ["general"] * 3


@pytest.mark.parametrize("limit", ["", "many", "0 per minute", "5 per fortnight", "1 per second; 5 per minute"])
def test_what_is_no_limit_is_no_setting(limit):
    with pytest.raises(InvalidSettings, match="RATE_LIMIT_GENERAL: must"):
        Settings.load(
            _env_file=None, database_url="x", jwt_secret="x" * 32, master_key=MASTER_KEY, rate_limit_general=limit
        )


def test_limits_of_different_tenants_users_are_apart(limits):
    tenants = [of("user", f"{uuid7()}:same") for _ in range(2)]
    assert [limits.take("general", [each]).remaining for each in tenants] == [2, 2]
