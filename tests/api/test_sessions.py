"""Sessions: refreshed by tokens that are used once, ended by logging out, by rights that change, and by passwords."""

import base64
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from litestar.testing import TestClient
from pydantic import SecretStr

from api.app import create
from domain.permissions import Role
from infrastructure.sessions import Client
from infrastructure.settings import InvalidSettings, Settings
from infrastructure.tokens import AccessTokens, InvalidToken, key_id
from tests.api.stand import API, PASSWORD, problem
from tests.api.test_logging_in import log_in, with_password
from tests.fixtures import JWT_SECRET, MASTER_KEY

SECRET = JWT_SECRET


@pytest.fixture
def tokens(acme):
    """Tokens of a new user."""
    return log_in(acme, with_password(acme)[0]).json()


def bearer(tokens):
    """The header that an access token goes in."""
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def me(acme, access_token):
    return acme.client.get(f"{API}/auth/me", headers={"Authorization": f"Bearer {access_token}"})


def much_later(application, company):
    """The moment is over in which a used refresh token may come back."""
    with application.database.transaction(company.profile.id) as transaction:
        transaction.execute("UPDATE sessions SET used_at = used_at - interval '1 minute' WHERE tenant_id = %(tenant)s")


def refreshed(acme, refresh_token):
    return acme.client.post(f"{API}/auth/refresh", json={"refresh_token": refresh_token})


def test_a_refresh_token_brings_new_tokens(acme, tokens):
    answer = refreshed(acme, tokens["refresh_token"])
    assert answer.status_code == 200
    assert answer.json()["refresh_token"] != tokens["refresh_token"]
    assert me(acme, answer.json()["access_token"]).status_code == 200


def test_a_refresh_token_that_was_used_ends_its_session(acme, application, tokens):
    newer = refreshed(acme, tokens["refresh_token"]).json()
    much_later(application, acme)
    problem(refreshed(acme, tokens["refresh_token"]), 401, "revoked_token")
    problem(refreshed(acme, newer["refresh_token"]), 401, "invalid_token")
    problem(me(acme, newer["access_token"]), 401, "revoked_token")


def test_a_made_up_token_that_names_a_session_ends_nothing(acme, tokens):
    """Session ids are in the audit trail, for others to read."""
    refreshed(acme, tokens["refresh_token"])
    raw = base64.urlsafe_b64decode(tokens["refresh_token"])
    made_up = base64.urlsafe_b64encode(raw[:32] + bytes(32)).decode()
    problem(refreshed(acme, made_up), 401, "invalid_token")
    assert me(acme, tokens["access_token"]).status_code == 200


def test_refreshing_twice_within_a_moment_gives_the_same_refresh_token(acme, tokens):
    """Two tabs at once, or an answer that got lost."""
    first, second = (refreshed(acme, tokens["refresh_token"]).json() for _ in range(2))
    assert first["refresh_token"] == second["refresh_token"] != tokens["refresh_token"]
    assert me(acme, first["access_token"]).status_code == me(acme, second["access_token"]).status_code == 200
    assert refreshed(acme, second["refresh_token"]).status_code == 200


def test_tabs_that_refresh_at_the_same_time_stay_logged_in(acme, tokens):
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: refreshed(acme, tokens["refresh_token"]), range(8)))
    assert {each.status_code for each in answers} == {200}
    assert len({each.json()["refresh_token"] for each in answers}) == 1


def test_a_used_refresh_token_ends_its_session_as_soon_as_its_successor_was_used(acme, tokens):
    newer = refreshed(acme, tokens["refresh_token"]).json()
    assert refreshed(acme, newer["refresh_token"]).status_code == 200
    problem(refreshed(acme, tokens["refresh_token"]), 401, "revoked_token")
    problem(me(acme, newer["access_token"]), 401, "revoked_token")


def test_a_session_that_was_ended_by_a_thief_leaves_the_others_alone(acme, application):
    email, _ = with_password(acme)
    stolen, other = log_in(acme, email).json(), log_in(acme, email).json()
    refreshed(acme, stolen["refresh_token"])
    much_later(application, acme)
    problem(refreshed(acme, stolen["refresh_token"]), 401, "revoked_token")
    assert me(acme, other["access_token"]).status_code == 200
    assert refreshed(acme, other["refresh_token"]).status_code == 200


def test_a_refresh_token_expires(acme, application, tokens):
    with application.database.transaction(acme.profile.id) as transaction:
        transaction.execute("UPDATE sessions SET expires_at = clock_timestamp() WHERE tenant_id = %(tenant)s")
    problem(refreshed(acme, tokens["refresh_token"]), 401, "expired_token")


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
    problem(me(acme, tokens["access_token"]), 401, "revoked_token")
    problem(refreshed(acme, tokens["refresh_token"]), 401, "invalid_token")


def test_a_changed_role_ends_the_users_sessions_at_once(startup):
    email, id = with_password(startup, role="viewer")
    tokens = log_in(startup, email).json()
    assert me(startup, tokens["access_token"]).json()["role"] == "viewer"
    startup.admin.post(f"/users/{id}/role", {"role": "rep"})
    problem(me(startup, tokens["access_token"]), 401, "revoked_token")
    problem(refreshed(startup, tokens["refresh_token"]), 401, "revoked_token")
    renewed = log_in(startup, email).json()
    assert me(startup, renewed["access_token"]).json()["role"] == "rep"
    assert len(startup.client.get(f"{API}/auth/sessions", headers=bearer(renewed)).json()["items"]) == 1


def test_a_deactivated_user_is_out_at_once_and_an_activated_one_logs_in_again(startup):
    email, id = with_password(startup)
    tokens = log_in(startup, email).json()
    assert me(startup, tokens["access_token"]).status_code == 200
    startup.admin.post(f"/users/{id}/deactivate")
    problem(me(startup, tokens["access_token"]), 401, "revoked_token")
    problem(refreshed(startup, tokens["refresh_token"]), 401, "revoked_token")
    startup.admin.post(f"/users/{id}/activate")
    problem(me(startup, tokens["access_token"]), 401, "revoked_token")
    problem(refreshed(startup, tokens["refresh_token"]), 401, "revoked_token")
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
        problem(me(acme, tokens["access_token"]), 401, "revoked_token")
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
    problem(me(acme, tokens["access_token"]), 401, "revoked_token")
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
        {"nbf": 60},
        {"iss": "somebody"},
        {"aud": "another-api"},
        {"tenant": "acme"},
        *({name: None} for name in ("exp", "nbf", "iat", "jti", "iss", "aud", "sub", "tenant", "session", "stamp")),
    ],
    ids=str,
)
def test_a_token_that_says_anything_else_is_refused(acme, changes):
    problem(me(acme, saying(acme.rep.token, **changes)), 401, "invalid_token")


@pytest.mark.parametrize(
    "changes",
    [{"stamp": 7}, {"sub": str(uuid4())}, {"session": str(uuid4())}, {"tenant": str(uuid4())}],
    ids=["stamp", "sub", "session", "tenant"],
)
def test_a_token_of_nobodys_session_is_worth_nothing(acme, changes):
    problem(me(acme, saying(acme.rep.token, **changes)), 401, "revoked_token")


def test_an_expired_token_is_told_so_and_no_more(acme):
    told = problem(me(acme, saying(acme.rep.token, exp=-6)), 401, "expired_token")
    assert "details" not in told


def test_what_is_wrong_counts_before_what_is_over(acme):
    problem(me(acme, saying(acme.rep.token, exp=-6, iss="somebody")), 401, "invalid_token")


def test_a_token_of_another_tenant_opens_no_other(acme, rival):
    problem(me(acme, saying(acme.rep.token, tenant=str(rival.profile.id))), 401, "revoked_token")


@pytest.mark.parametrize("algorithm", ["none", "HS512", "HS384", "RS256", "ES256"])
def test_only_one_algorithm_is_taken(acme, algorithm):
    said = jwt.decode(acme.rep.token, SECRET, ["HS256"], audience="clientforge-api")
    keys: dict[str, Any] = {
        "none": "",
        "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
    }
    headers = {"kid": key_id(SECRET.encode())}
    forged = jwt.encode(said, keys.get(algorithm, SECRET * 3), algorithm, headers=headers)
    problem(me(acme, forged), 401, "invalid_token")


@pytest.mark.parametrize("algorithm", ["none", "HS512", "RS256"])
def test_a_header_that_names_another_algorithm_is_refused_with_our_signature_too(acme, algorithm):
    _, said, _ = acme.rep.token.split(".")
    header = json.dumps({"alg": algorithm, "typ": "JWT", "kid": key_id(SECRET.encode())}).encode()
    signed = f"{base64.urlsafe_b64encode(header).decode().rstrip('=')}.{said}"
    mac = hmac.digest(SECRET.encode(), signed.encode(), "sha256")
    forged = f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
    problem(me(acme, forged), 401, "invalid_token")


@pytest.mark.parametrize(
    "headers",
    [{}, {"kid": "another"}, {"kid": ""}, {"kid": key_id(b"?")}, {"kid": "../../dev/null"}, {"jku": "https://a.b/c"}],
    ids=str,
)
def test_a_header_that_is_not_ours_is_refused(acme, headers):
    said = jwt.decode(acme.rep.token, SECRET, ["HS256"], audience="clientforge-api")
    named = headers if "jku" not in headers else {"kid": key_id(SECRET.encode()), **headers}
    problem(me(acme, jwt.encode(said, SECRET, "HS256", headers=named)), 401, "invalid_token")


def test_a_token_names_its_key_and_reveals_nothing_of_it(acme):
    header = jwt.get_unverified_header(acme.rep.token)
    assert header == {"alg": "HS256", "typ": "JWT", "kid": key_id(SECRET.encode())}
    assert header["kid"] != key_id(SECRET.encode() + b"!")
    assert SECRET not in str(header)


@pytest.mark.parametrize("header", ["", "Bearer", "Basic YTpi", "Bearer ", "Token x"])
def test_what_is_no_bearer_token_is_no_authentication(acme, header):
    problem(acme.client.get(f"{API}/auth/me", headers={"Authorization": header}), 401, "not_authenticated")


def saying(token, **changes):
    """A token of ours that says something else; None leaves a claim out, `exp` and `nbf` are seconds from now."""
    said = jwt.decode(token, SECRET, ["HS256"], audience="clientforge-api")
    now = int(time.time())
    changes = {name: now + value if name in ("exp", "nbf") and value else value for name, value in changes.items()}
    said = {name: value for name, value in {**said, **changes}.items() if value is not None}
    return jwt.encode(said, SECRET, "HS256", headers={"kid": key_id(SECRET.encode())})


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
    problem(me(acme, tokens.issue(claims, now=datetime.now(UTC) - timedelta(minutes=16))), 401, "expired_token")
    with pytest.raises(Exception, match="expired"):
        tokens.read(old)


def test_a_secret_is_replaced_and_nobody_is_logged_out(acme, application):
    old, new = SECRET, "the next secret of at least 32 characters"
    claims = AccessTokens(old).read(acme.rep.token)
    rotated = AccessTokens(new, old)
    assert rotated.read(acme.rep.token) == claims
    assert rotated.read(acme.rep.token) == claims  # known by now
    issued = rotated.issue(claims)
    assert jwt.get_unverified_header(issued)["kid"] == key_id(new.encode())
    assert AccessTokens(new).read(issued) == claims
    with pytest.raises(InvalidToken):
        AccessTokens(old).read(issued)
    with pytest.raises(InvalidToken):
        AccessTokens(new).read(acme.rep.token)
    settings = application.settings.model_copy(
        update={"jwt_secret": SecretStr(new), "jwt_secret_previous": SecretStr(old)}
    )
    with TestClient(create(replace(application, settings=settings))) as client:
        for token in (acme.rep.token, issued):
            answer = client.get(f"{API}/auth/me", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200, answer.text


def test_a_secret_before_the_present_one_is_as_long():
    with pytest.raises(InvalidSettings, match="JWT_SECRET_PREVIOUS"):
        Settings.load(
            _env_file=None,
            database_url="postgresql://x",
            jwt_secret=SECRET,
            jwt_secret_previous="short",
            master_key=MASTER_KEY,
        )


def test_ones_sessions_are_listed_and_ended(acme):
    email, _ = with_password(acme)
    body = {"email": email, "password": PASSWORD, "tenant": acme.profile.subdomain}
    agent = {"User-Agent": "Lynx\u00ad/2.9 " + "x" * 300}
    mine = acme.client.post(f"{API}/auth/login", json=body, headers={"User-Agent": agent["User-Agent"].encode()}).json()
    other = log_in(acme, email).json()
    refreshed(acme, mine["refresh_token"])

    def listed():
        return acme.client.get(f"{API}/auth/sessions", headers=bearer(mine)).json()["items"]

    first, second = listed()
    assert (first["current"], second["current"]) == (True, False)
    assert first["user_agent"].startswith("Lynx")
    assert len(first["user_agent"]) == 200
    assert first["started_at"] < first["last_used_at"] < first["expires_at"]
    ending = acme.client.delete(f"{API}/auth/sessions/{second['id']}", headers=bearer(mine))
    assert (ending.status_code, ending.content) == (204, b"")
    problem(me(acme, other["access_token"]), 401, "revoked_token")
    problem(refreshed(acme, other["refresh_token"]), 401, "invalid_token")
    assert [each["id"] for each in listed()] == [first["id"]]
    again = acme.client.delete(f"{API}/auth/sessions/{second['id']}", headers=bearer(mine))
    problem(again, 404, "not_found")


def test_nobody_ends_the_sessions_of_others(acme, rival):
    email, id = with_password(acme)
    mine = log_in(acme, email).json()
    (session,) = acme.client.get(f"{API}/auth/sessions", headers=bearer(mine)).json()["items"]
    for other in (acme.admin, acme.rep, rival.admin):
        problem(other.delete(f"/auth/sessions/{session['id']}"), 404, "not_found")
    problem(acme.rep.post(f"/users/{id}/end-sessions"), 403, "forbidden")
    problem(rival.admin.post(f"/users/{id}/end-sessions"), 404, "not_found")
    assert me(acme, mine["access_token"]).status_code == 200


def test_an_admin_logs_a_user_out_everywhere(acme):
    email, id = with_password(acme)
    several = [log_in(acme, email).json() for _ in range(2)]
    assert me(acme, several[0]["access_token"]).status_code == 200
    assert acme.admin.post(f"/users/{id}/end-sessions").status_code == 204
    for tokens in several:
        problem(me(acme, tokens["access_token"]), 401, "revoked_token")
        problem(refreshed(acme, tokens["refresh_token"]), 401, "invalid_token")
    assert log_in(acme, email).status_code == 200


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("testclient", None),
        (None, None),
    ],
)
def test_of_an_address_its_network_is_kept(address, network):
    assert Client(address=address).network == network
