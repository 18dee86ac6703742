"""Tokens that were altered, in whatever part: never let in, and never a fault."""

import contextlib
from uuid import UUID

import jwt
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from infrastructure.api_keys import KeyToken
from infrastructure.tokens import AccessTokens, Claims, ExpiredToken, InvalidToken, RefreshToken, key_id
from tests.fixtures import JWT_SECRET
from tests.fuzzing.altered import altered, altered_token, nested
from tests.journeys.system import EMAIL, PASSWORD

NOBODY = Claims(tenant=UUID(int=1), user=UUID(int=2), session=UUID(int=3), stamp=1)
TOKENS = AccessTokens(JWT_SECRET)
TOKEN = TOKENS.issue(NOBODY)
REFRESH = RefreshToken.new(UUID(int=1), UUID(int=3)).text
KEY = KeyToken.new(UUID(int=1), UUID(int=2)).text
HEAD, SAID, SIGNATURE = TOKEN.split(".")
thoroughly = settings(max_examples=1000)
over_http = settings(max_examples=200, suppress_health_check=list(HealthCheck), database=None)


@given(altered_token(TOKEN))
@example(f"{nested(100_000)}.{SAID}.{SIGNATURE}")
@example(TOKEN + "=")
@example(TOKEN[:-1] + chr(ord(TOKEN[-1]) + 1))
@example(f"{TOKEN}!")
@thoroughly
def test_an_altered_access_token_is_none(text):
    assume(text != TOKEN)
    with pytest.raises(InvalidToken):
        TOKENS.read(text)


@given(st.text())
@thoroughly
def test_no_text_is_an_access_token(text):
    with pytest.raises(InvalidToken):
        TOKENS.read(text)


def _odd() -> st.SearchStrategy[object]:
    values = st.none() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)
    return st.one_of(values, st.sampled_from([10**400, float("inf"), float("nan"), -1, "", {}]))


@given(st.sampled_from(["iss", "aud", "sub", "tenant", "session", "stamp", "exp", "nbf", "iat", "jti"]), _odd())
@example("exp", 10**400)
@example("stamp", float("inf"))
@thoroughly
def test_whatever_a_token_with_our_signature_says_is_understood_or_refused(name, value):
    said = jwt.decode(TOKEN, options={"verify_signature": False})
    try:
        text = jwt.encode({**said, name: value}, JWT_SECRET, "HS256", headers={"kid": key_id(JWT_SECRET.encode())})
    except (TypeError, ValueError):
        assume(False)
    with contextlib.suppress(InvalidToken, ExpiredToken):
        assert isinstance(TOKENS.read(text), Claims)


@pytest.mark.parametrize(
    ("read", "whole"), [(RefreshToken.read, REFRESH), (KeyToken.read, KEY)], ids=["refresh", "key"]
)
def test_an_altered_opaque_token_is_none_or_shows_another_secret(read, whole):
    right = read(whole)

    @given(altered(whole, st.characters()) | st.text())
    @example(whole + "!")
    @example(whole[:-1])
    @example(f"{whole[:50]}\n{whole[50:]}")
    @thoroughly
    def every_text(text):
        assume(text != whole)
        with contextlib.suppress(InvalidToken):
            assert read(text) != right

    every_text()


@pytest.fixture(scope="module")
def issued(running_system):
    """The tokens and the key of a user of the running system."""
    running_system.run("tenant", "create", "Tokens Inc.", "--subdomain", "tokens")
    running_system.run("seed", "admin", "--tenant", "tokens", "--email", EMAIL, "--password", PASSWORD)
    body = {"email": EMAIL, "password": PASSWORD, "tenant": "tokens"}
    tokens = running_system.client.post("/api/v1/auth/login", json=body).raise_for_status().json()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    key = running_system.client.post("/api/v1/auth/api-keys", json={"name": "A"}, headers=bearer).raise_for_status()
    return {**tokens, "key": key.json()["key"]}


def asked(system, bearer):
    return system.client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {bearer}"})


def test_no_altered_bearer_token_is_let_in(running_system, issued):
    access, key = issued["access_token"], issued["key"]
    assert asked(running_system, access).status_code == asked(running_system, key).status_code == 200

    @given(altered_token(access) | altered(key))
    @example(f"{nested(20_000)}.{SAID}.{SIGNATURE}")
    @over_http
    def every_text(text):
        assume(text.strip() not in (access, key))
        answer = asked(running_system, text)
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token") or not text

    every_text()
    assert asked(running_system, access).status_code == 200


def test_no_altered_refresh_token_renews_a_session(running_system, issued):
    @given(altered(issued["refresh_token"], st.characters()))
    @over_http
    def every_text(text):
        assume(text != issued["refresh_token"])
        answer = running_system.client.post("/api/v1/auth/refresh", json={"refresh_token": text})
        assert answer.status_code in (401, 422), answer.text

    every_text()
    body = {"refresh_token": issued["refresh_token"]}
    assert running_system.client.post("/api/v1/auth/refresh", json=body).status_code == 200
