"""Sessions: refreshed by tokens that are used once, ended by logging out, by rights that change, and by passwords."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt
import pytest

from domain.permissions import Role
from infrastructure.tokens import AccessTokens
from tests.api.stand import API, PASSWORD, problem
from tests.api.test_logging_in import log_in, with_password
from tests.fixtures import JWT_SECRET

SECRET = JWT_SECRET


@pytest.fixture
def tokens(acme):
    """Tokens of a new user."""
    return log_in(acme, with_password(acme)[0]).json()


def me(acme, access_token):
    return acme.client.get(f"{API}/auth/me", headers={"Authorization": f"Bearer {access_token}"})


def refreshed(acme, refresh_token):
    return acme.client.post(f"{API}/auth/refresh", json={"refresh_token": refresh_token})


def test_a_refresh_token_brings_new_tokens(acme, tokens):
    answer = refreshed(acme, tokens["refresh_token"])
    assert answer.status_code == 200
    assert answer.json()["refresh_token"] != tokens["refresh_token"]
    assert me(acme, answer.json()["access_token"]).status_code == 200


def test_a_refresh_token_that_was_used_ends_its_session(acme, tokens):
    newer = refreshed(acme, tokens["refresh_token"]).json()
    problem(refreshed(acme, tokens["refresh_token"]), 401, "invalid_token")
    problem(refreshed(acme, newer["refresh_token"]), 401, "invalid_token")
    problem(me(acme, newer["access_token"]), 401, "invalid_token")


def test_a_session_that_was_ended_by_a_thief_leaves_the_others_alone(acme):
    email, _ = with_password(acme)
    stolen, other = log_in(acme, email).json(), log_in(acme, email).json()
    refreshed(acme, stolen["refresh_token"])
    refreshed(acme, stolen["refresh_token"])
    assert me(acme, other["access_token"]).status_code == 200
    assert refreshed(acme, other["refresh_token"]).status_code == 200


def test_a_refresh_token_expires(acme, application, tokens):
    with application.database.transaction(acme.profile.id) as transaction:
        transaction.execute("UPDATE sessions SET expires_at = clock_timestamp() WHERE tenant_id = %(tenant)s")
    problem(refreshed(acme, tokens["refresh_token"]), 401, "invalid_token")


@pytest.mark.parametrize("token", ["", "x", "ü", base64.urlsafe_b64encode(bytes(64)).decode(), "a.b.c"])
def test_what_is_no_refresh_token_is_refused(acme, token):
    problem(refreshed(acme, token), 401, "invalid_token")


def test_a_refresh_token_is_not_stored(acme, application, tokens):
    rows = application.database.read(
        acme.profile.id, "SELECT s::text AS row FROM sessions s WHERE tenant_id = %(tenant)s"
    )
    secret = base64.urlsafe_b64decode(tokens["refresh_token"])[32:]
    assert rows
    assert not any(secret.hex() in row["row"] or tokens["refresh_token"] in row["row"] for row in rows)


def test_logging_out_ends_both_tokens(acme, tokens):
    out = acme.client.post(f"{API}/auth/logout", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert (out.status_code, out.content) == (204, b"")
    problem(me(acme, tokens["access_token"]), 401, "invalid_token")
    problem(refreshed(acme, tokens["refresh_token"]), 401, "invalid_token")


def test_a_changed_role_counts_at_once(startup):
    email, id = with_password(startup, role="viewer")
    tokens = log_in(startup, email).json()
    startup.admin.post(f"/users/{id}/role", {"role": "rep"})
    problem(me(startup, tokens["access_token"]), 401, "invalid_token")
    renewed = refreshed(startup, tokens["refresh_token"]).json()
    assert me(startup, renewed["access_token"]).json()["role"] == "rep"


def test_a_deactivated_user_is_out_at_once_and_an_activated_one_logs_in_again(startup):
    email, id = with_password(startup)
    tokens = log_in(startup, email).json()
    startup.admin.post(f"/users/{id}/deactivate")
    problem(me(startup, tokens["access_token"]), 401, "invalid_token")
    problem(refreshed(startup, tokens["refresh_token"]), 401, "invalid_token")
    startup.admin.post(f"/users/{id}/activate")
    problem(me(startup, tokens["access_token"]), 401, "invalid_token")
    assert log_in(startup, email).status_code == 200


def test_changing_ones_password_ends_all_other_sessions(acme):
    email, _ = with_password(acme)
    mine, other = log_in(acme, email).json(), log_in(acme, email).json()
    new = "purple monkey dishwasher"
    answer = acme.client.post(
        f"{API}/auth/change-password",
        json={"old_password": PASSWORD, "new_password": new},
        headers={"Authorization": f"Bearer {mine['access_token']}"},
    )
    assert answer.status_code == 200, answer.text
    for tokens in (mine, other):
        problem(me(acme, tokens["access_token"]), 401, "invalid_token")
        problem(refreshed(acme, tokens["refresh_token"]), 401, "invalid_token")
    assert me(acme, answer.json()["access_token"]).status_code == 200
    assert refreshed(acme, answer.json()["refresh_token"]).status_code == 200
    problem(log_in(acme, email), 401, "wrong_credentials")
    assert log_in(acme, email, new).status_code == 200


def test_changing_ones_password_needs_the_present_one_and_a_long_one(acme, tokens):
    def change(old, new):
        body = {"old_password": old, "new_password": new}
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        return acme.client.post(f"{API}/auth/change-password", json=body, headers=bearer)

    told = problem(change("wrong", "a long enough password"), 422, "wrong_password")
    assert told["errors"][0]["pointer"] == "/old_password"
    told = problem(change(PASSWORD, "elevenchars"), 422, "weak_password")
    assert told["errors"][0]["pointer"] == "/new_password"
    problem(change(PASSWORD, "x" * 1025), 422, "weak_password")
    assert me(acme, tokens["access_token"]).status_code == 200


def test_an_admin_sets_a_password_and_ends_the_users_sessions(acme):
    email, id = with_password(acme)
    tokens = log_in(acme, email).json()
    problem(acme.admin.post(f"/users/{id}/set-password", {"password": "elevenchars"}), 422, "weak_password")
    answer = acme.admin.post(f"/users/{id}/set-password", {"password": "purple monkey dishwasher"})
    assert (answer.status_code, answer.content) == (204, b"")
    problem(me(acme, tokens["access_token"]), 401, "invalid_token")
    problem(refreshed(acme, tokens["refresh_token"]), 401, "invalid_token")
    assert log_in(acme, email, "purple monkey dishwasher").status_code == 200


def test_a_user_without_a_password_gets_one_from_an_admin(acme):
    person = acme.hires(Role.VIEWER)
    problem(log_in(acme, person.email), 401, "wrong_credentials")
    assert acme.admin.post(f"/users/{person.id}/set-password", {"password": PASSWORD}).status_code == 204
    assert log_in(acme, person.email).status_code == 200


def test_a_new_users_password_is_long_enough_or_there_is_no_user(acme):
    body = {"first_name": "A", "last_name": "B", "email": f"{uuid4()}@example.com", "password": "elevenchars"}
    told = problem(acme.admin.post("/users", body), 422, "weak_password")
    assert told["errors"][0]["pointer"] == "/password"
    assert acme.admin.post("/users", {**body, "password": None}).status_code == 201


def test_a_repeated_creation_of_a_user_keeps_the_first_password(acme):
    key = {"Idempotency-Key": str(uuid4())}
    body = {"first_name": "A", "last_name": "B", "email": f"{uuid4()}@example.com", "password": PASSWORD}
    first = acme.admin.post("/users", body, **key)
    again = acme.admin.post("/users", {**body, "password": "purple monkey dishwasher"}, **key)
    assert again.json() == first.json()
    assert log_in(acme, body["email"]).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": -6},
        {"nbf": 60},
        {"iss": "somebody"},
        {"aud": "another-api"},
        {"stamp": 7},
        {"sub": str(uuid4())},
        {"session": str(uuid4())},
        {"tenant": str(uuid4())},
        {"tenant": "acme"},
        *({name: None} for name in ("exp", "nbf", "iat", "jti", "iss", "aud", "sub", "tenant", "session", "stamp")),
    ],
    ids=str,
)
def test_a_token_that_says_anything_else_is_refused(acme, changes):
    said = jwt.decode(acme.rep.token, SECRET, ["HS256"], audience="clientforge-api")
    now = int(time.time())
    changes = {name: now + value if name in ("exp", "nbf") and value else value for name, value in changes.items()}
    said = {name: value for name, value in {**said, **changes}.items() if value is not None}
    problem(me(acme, jwt.encode(said, SECRET, "HS256")), 401, "invalid_token")


def test_a_token_of_another_tenant_opens_no_other(acme, rival):
    said = jwt.decode(acme.rep.token, SECRET, ["HS256"], audience="clientforge-api")
    moved = jwt.encode({**said, "tenant": str(rival.profile.id)}, SECRET, "HS256")
    problem(me(acme, moved), 401, "invalid_token")


@pytest.mark.parametrize("algorithm", ["none", "HS512", "HS384"])
def test_only_one_algorithm_is_taken(acme, algorithm):
    said = jwt.decode(acme.rep.token, SECRET, ["HS256"], audience="clientforge-api")
    key = "" if algorithm == "none" else SECRET * 3
    problem(me(acme, jwt.encode(said, key, algorithm)), 401, "invalid_token")


@pytest.mark.parametrize("header", ["", "Bearer", "Basic YTpi", "Bearer ", "Token x"])
def test_what_is_no_bearer_token_is_no_authentication(acme, header):
    problem(acme.client.get(f"{API}/auth/me", headers={"Authorization": header}), 401, "not_authenticated")


def test_an_altered_token_is_refused(acme):
    head, said, signature = acme.viewer.token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(said + "=="))
    claims["sub"] = str(acme.admin.id)
    altered = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    problem(me(acme, f"{head}.{altered}.{signature}"), 401, "invalid_token")


def test_a_token_that_was_known_expires_nevertheless(acme):
    tokens = AccessTokens(SECRET)
    claims = tokens.read(acme.rep.token)
    old = tokens.issue(claims, now=datetime.now(UTC) - timedelta(minutes=15, seconds=4))
    assert tokens.read(old) == claims
    tokens._verified[old] = (0.0, claims)
    problem(me(acme, tokens.issue(claims, now=datetime.now(UTC) - timedelta(minutes=16))), 401, "invalid_token")
    with pytest.raises(Exception, match="expired"):
        tokens.read(old)
