"""Headers, other origins, cookie sessions and slow clients: what stands between a browser and the API."""

import asyncio
import base64
import json

import httpx
import pytest
from litestar.testing import TestClient

from api.app import create
from infrastructure.settings import InvalidSettings, Settings
from tests.api.stand import API, PASSWORD, problem
from tests.fixtures import MASTER_KEY

ELSEWHERE = "https://app.example.com"


@pytest.fixture(scope="module")
def open_to_elsewhere(application, api_settings):
    """The API with an allow-list of one origin, reached by HTTPS."""
    changed = api_settings.model_copy(
        update={"cors_origins": (ELSEWHERE,), "public_url": "https://crm.example.com", "request_body_seconds": 0.2}
    )
    settings, application.settings = application.settings, changed
    app = create(application)
    application.settings = settings
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def log_in(acme):
    """The log-in of a user of acme's who has a password."""
    email = "browser@example.com"
    body = {"first_name": "B", "last_name": "R", "email": email, "password": PASSWORD, "role": "rep"}
    acme.admin.post("/users", body)
    return {"email": email, "password": PASSWORD, "tenant": acme.profile.subdomain}


@pytest.mark.parametrize("path", ["/live", "/api/docs", "/api/openapi.json", f"{API}/accounts", "/nothing"])
def test_every_answer_has_the_shield(client, path):
    told = client.get(path).headers
    assert told["x-content-type-options"] == "nosniff"
    assert told["x-frame-options"] == "DENY"
    assert told["referrer-policy"] == "no-referrer"
    assert told["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    assert "camera=()" in told["permissions-policy"]
    assert told["cross-origin-opener-policy"] == told["cross-origin-resource-policy"] == "same-origin"
    # The description is nobody's, and asked for again where it is kept.
    assert told["cache-control"] == ("no-cache" if path in ("/api/docs", "/api/openapi.json") else "no-store")
    assert "default-src 'none'" in told["content-security-policy"]
    assert "frame-ancestors 'none'" in told["content-security-policy"]
    assert "unsafe" not in told["content-security-policy"]
    assert told["x-request-id"]
    assert told["server"] == "clientforge"
    assert "x-powered-by" not in told


def test_no_origin_is_let_in_unless_it_is_on_the_list(client, acme, open_to_elsewhere):
    bearer = {"Authorization": f"Bearer {acme.rep.token}"}
    assert "access-control-allow-origin" not in client.get(f"{API}/accounts", headers={"Origin": ELSEWHERE}).headers
    told = open_to_elsewhere.get(f"{API}/accounts", headers={"Origin": ELSEWHERE, **bearer})
    assert told.status_code == 200
    assert told.headers["access-control-allow-origin"] == ELSEWHERE
    assert "access-control-allow-credentials" not in told.headers
    assert "ClientForge-Position" in told.headers["access-control-expose-headers"]
    evil = open_to_elsewhere.get(f"{API}/accounts", headers={"Origin": "https://evil.example", **bearer})
    assert "access-control-allow-origin" not in evil.headers


@pytest.mark.parametrize(("origin", "is_let_in"), [(ELSEWHERE, True), ("https://evil.example", False), ("null", False)])
def test_a_preflight_is_answered_for_origins_on_the_list_alone(open_to_elsewhere, origin, is_let_in):
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,content-type,if-match",
    }
    told = open_to_elsewhere.options(f"{API}/accounts", headers=asked)
    assert (told.headers.get("access-control-allow-origin") == origin) is is_let_in
    assert told.headers.get("access-control-allow-origin") != "*"


@pytest.mark.parametrize("origins", ["*", "https://*.example.com", "app.example.com", "https://a.example/path"])
def test_a_list_of_origins_holds_origins_and_no_pattern(origins):
    with pytest.raises(InvalidSettings, match="CORS_ORIGINS"):
        Settings.load(
            _env_file=None, database_url="postgresql://a@b/c", jwt_secret="x" * 32, master_key=MASTER_KEY,
            cors_origins=origins,
        )  # fmt: skip


class Browser:
    """A browser with a jar of its own, for the client is shared."""

    def __init__(self, client, log_in) -> None:
        self.client = client
        self.begun = client.post(f"{API}/auth/browser", json=log_in)
        client.cookies.clear()
        self.cookie = self.begun.headers["set-cookie"]
        self.token = {"X-CSRF-Token": self.begun.json()["csrf_token"]}

    def ask(self, method, path, body=None, **headers):
        jar = {"Cookie": self.cookie.partition(";")[0]}
        answer = self.client.request(method, API + path, json=body, headers={**jar, **headers})
        self.client.cookies.clear()
        return answer


@pytest.fixture
def browser(client, log_in):
    return Browser(client, log_in)


def test_a_browsers_session_reads_by_its_cookie_and_writes_with_its_token(browser):
    account = {"name": "By a browser"}
    assert browser.begun.status_code == 200
    assert "HttpOnly" in browser.cookie
    assert "SameSite=Strict" in browser.cookie
    assert "access_token" not in browser.begun.text
    assert browser.ask("GET", "/accounts").status_code == 200
    assert browser.ask("GET", "/auth/browser").json()["csrf_token"] == browser.token["X-CSRF-Token"]
    problem(browser.ask("POST", "/accounts", account), 403, "csrf_token_missing")
    problem(browser.ask("POST", "/accounts", account, **{"X-CSRF-Token": "0" * 64}), 403, "csrf_token_missing")
    assert browser.ask("POST", "/accounts", account, **browser.token).status_code == 201


def test_the_end_of_a_browsers_session_is_one_for_its_cookie_too(browser):
    problem(browser.ask("DELETE", "/auth/browser"), 403, "csrf_token_missing")
    left = browser.ask("DELETE", "/auth/browser", **browser.token)
    assert left.status_code == 204
    assert "Max-Age=0" in left.headers["set-cookie"]
    assert browser.ask("GET", "/accounts").status_code == 401


def test_the_token_of_another_session_is_none(browser, client, log_in):
    other = Browser(client, log_in)
    problem(browser.ask("POST", "/accounts", {"name": "A"}, **other.token), 403, "csrf_token_missing")


def test_a_bearer_needs_no_csrf_token_even_beside_a_cookie(browser, acme):
    bearer = {"Authorization": f"Bearer {acme.rep.token}"}
    assert browser.ask("POST", "/accounts", {"name": "A"}, **bearer).status_code == 201


def test_a_form_of_another_site_can_not_log_a_browser_in(client, log_in):
    problem(client.post(f"{API}/auth/browser", data=log_in), 415, "unsupported_media_type")
    plain = client.post(f"{API}/auth/browser", content=json.dumps(log_in), headers={"Content-Type": "text/plain"})
    problem(plain, 415, "unsupported_media_type")


def test_over_https_the_cookie_goes_nowhere_else(client, open_to_elsewhere, log_in):
    begun = open_to_elsewhere.post(f"{API}/auth/browser", json=log_in)
    assert "Secure" in begun.headers["set-cookie"]


@pytest.mark.parametrize(
    "cookie", ["clientforge=nonsense", "clientforge=", "clientforge", "\x01=", f"clientforge={'x' * 5000}"]
)
def test_a_broken_cookie_is_no_session(client, cookie):
    assert client.get(f"{API}/accounts", headers={"Cookie": cookie}).status_code == 401


def test_a_body_that_takes_too_long_is_given_up(open_to_elsewhere, acme):
    async def ask() -> httpx.Response:
        async def slowly():
            yield b'{"name": '
            await asyncio.sleep(1)
            yield b'"A"}'

        transport = httpx.ASGITransport(open_to_elsewhere.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            headers = {"Authorization": f"Bearer {acme.rep.token}", "Content-Type": "application/json"}
            return await client.post(f"{API}/accounts", content=slowly(), headers=headers)

    problem(asyncio.run(ask()), 408, "too_slow")


def test_a_fault_tells_neither_trace_nor_statement(acme, monkeypatch):
    def broken(*_arguments, **_named):
        raise RuntimeError("SELECT secret FROM accounts WHERE id = 'x'")

    monkeypatch.setattr("api.search.find", broken, raising=False)
    monkeypatch.setattr(type(acme.application.search), "search", broken)
    answer = acme.rep.get("/search", q="anything")
    told = problem(answer, 500, "internal_error")
    assert "SELECT" not in answer.text
    assert "Traceback" not in answer.text
    assert base64.b64encode(b"RuntimeError").decode() not in answer.text
    assert set(told) == {"type", "title", "status", "code", "detail", "request_id"}
