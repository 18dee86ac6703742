"""Passwords and tokens are in no table, no event, no log line and no answer."""

import base64
import io
import json
import logging
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from psycopg import sql

from api.logs import JsonLines
from api.observing import access_log
from tests.api.leaks import Leaks
from tests.api.stand import API

FIRST, SECOND, THIRD = (f"a password that nobody stores {number}" for number in range(3))


@pytest.fixture
def secrets(acme, caplog):
    """All secrets of a user who has used everything, and what was logged meanwhile."""
    caplog.set_level(logging.DEBUG)
    email = f"{uuid4()}@example.com"
    body = {"first_name": "A", "last_name": "B", "email": email, "password": FIRST}
    id = acme.admin.post("/users", body, **{"Idempotency-Key": str(uuid4())}).json()["id"]
    acme.admin.post(f"/users/{id}/set-password", {"password": SECOND})
    credentials = {"email": email, "password": SECOND, "tenant": acme.profile.subdomain}
    tokens = acme.client.post(f"{API}/auth/login", json=credentials).json()
    renewed = acme.client.post(f"{API}/auth/refresh", json={"refresh_token": tokens["refresh_token"]}).json()
    bearer = {"Authorization": f"Bearer {renewed['access_token']}"}
    change = {"old_password": SECOND, "new_password": THIRD}
    changed = acme.client.post(f"{API}/auth/change-password", json=change, headers=bearer).json()
    acme.client.post(f"{API}/auth/login", json={**credentials, "password": "a wrong password that somebody types"})
    acme.admin.get(f"/users/{id}")
    acme.admin.get("/audit")
    issued = [each[name] for each in (tokens, renewed, changed) for name in ("access_token", "refresh_token")]
    return [FIRST, SECOND, THIRD, "a wrong password that somebody types", *issued]


def test_no_table_holds_them(acme, urls, secrets):
    raw = [base64.urlsafe_b64decode(each)[32:].hex() for each in secrets if len(each) == 88]
    assert len(raw) == 3
    wanted = [*secrets, *(each.encode().hex() for each in secrets), *raw]
    with psycopg.connect(urls.superuser, autocommit=True) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        assert ("public", "credentials") in tables
        for schema, table in tables:
            query = sql.SQL("SELECT count(*) FROM {} t WHERE t::text LIKE ANY(%s)").format(
                sql.Identifier(schema, table)
            )
            found = connection.execute(query, ([f"%{each}%" for each in wanted],)).fetchone()
            assert found == (0,), table


def test_no_log_line_and_no_answer_holds_them(acme, secrets, caplog):
    records = [*caplog.get_records("setup"), *caplog.get_records("call")]
    lines = [f"{record.getMessage()} {record.__dict__}" for record in records]
    assert any("'route': '/api/v1/auth/login'" in line for line in lines)
    told = "\n".join([*lines, acme.client.get("/metrics").text, acme.admin.get("/audit", limit="200").text])
    for secret in secrets:
        assert secret not in told


def test_the_access_log_tells_the_route_who_asked_and_nobodys_data(acme):
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    access_log.addHandler(handler)
    access_log.setLevel(logging.INFO)
    try:
        answer = acme.rep.get("/search", q="somebodys-name")
    finally:
        access_log.removeHandler(handler)
        access_log.setLevel(logging.NOTSET)
    [line] = written.getvalue().splitlines()
    told = json.loads(line)
    assert (told["method"], told["route"], told["status"]) == ("GET", "/api/v1/search", 200)
    assert told["ms"] > 0
    assert told["request"] == answer.headers["x-request-id"]
    assert (told["tenant"], told["actor"]) == (str(acme.profile.id), f"user-{acme.rep.id}")
    assert UUID(told["correlation"]).version == 7
    assert "somebodys-name" not in line


def test_the_watch_over_all_these_tests_sees_their_secrets_and_their_lines(leaks, secrets):
    assert {each for each in secrets if each not in leaks.typed | leaks.issued} == set()
    assert leaks.lines


def test_a_leak_would_be_seen():
    leaks = Leaks("the signing key")
    request = httpx.Request("POST", "http://x", json={"password": "hunter2 hunter2"})
    leaks.of_request(request)
    leaks.of_response(httpx.Response(200, json={"refresh_token": "A" * 88, "id": "not secret at all"}))
    assert leaks.found_in("nothing of it: not secret at all") == set()
    assert leaks.found_in("tried 'hunter2 hunter2'") == {"hunter2 hunter2"}
    assert leaks.found_in("\\x" + b"the signing key".hex()) == {"the signing key"}
    assert leaks.found_in(f"token {'A' * 88}.") == {"A" * 88}
