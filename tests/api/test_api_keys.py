"""Keys of programs: they do what their scopes say, as long as their user may, and can't make or end any."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from domain.permissions import Role
from domain.security.events import ApiKeyEnded, ApiKeyMade, ApiKeyUsed
from infrastructure.api_keys import KeyToken
from tests.api.stand import API, NOBODY, pointers, problem


@pytest.fixture
def make(startup):
    def make(person=None, **body):
        answer = (person or startup.admin).post("/auth/api-keys", {"name": "Nightly export", **body})
        assert answer.status_code == 201, answer.text
        return answer.json()

    return make


def ask(company, key, method, path, body=None, **params):
    headers = {"Authorization": f"Bearer {key}"}
    return company.client.request(method, API + path, headers=headers, json=body, params=params)


def test_a_key_is_told_once_and_kept_as_a_hash(startup, make):
    made = make(scopes=["account:read"], expires_at="2099-01-01T00:00:00Z")
    assert made["key"].startswith("cfk_")
    assert made["key"].startswith(made["prefix"])
    [listed] = startup.admin.get("/auth/api-keys").json()["items"]
    assert listed["id"] == made["id"]
    assert (listed["name"], listed["prefix"]) == ("Nightly export", made["prefix"])
    assert (listed["scopes"], listed["expires_at"]) == (["account:read"], "2099-01-01T00:00:00Z")
    assert listed["last_used_at"] is None
    assert made["key"] not in str(listed)
    rows = startup.application.database.read(
        startup.profile.id, "SELECT api_keys::text AS row FROM api_keys WHERE tenant_id = %(tenant)s"
    )
    assert made["key"][len(made["prefix"]) :] not in rows[0]["row"]


def test_a_key_does_what_its_user_may_and_in_their_name(startup, make):
    key = make(startup.rep)["key"]
    created = ask(startup, key, "POST", "/accounts", {"name": "By a program"})
    assert created.status_code == 201
    id = created.json()["id"]
    assert ask(startup, key, "GET", f"/accounts/{id}").json()["created_by"] == f"user-{startup.rep.id}"
    problem(ask(startup, key, "POST", "/users", {"first_name": "A", "last_name": "B"}), 403, "forbidden")
    assert ask(startup, key, "GET", "/auth/me").json()["id"] == str(startup.rep.id)


def test_a_key_reads_what_it_wrote(startup, make):
    key = make()["key"]
    for number in range(5):
        id = ask(startup, key, "POST", "/accounts", {"name": f"Read at once {number}"}).json()["id"]
        assert ask(startup, key, "GET", f"/accounts/{id}").status_code == 200


def test_scopes_narrow_a_key_and_never_widen_it(startup, make):
    key = make(scopes=["account:read"])["key"]
    assert ask(startup, key, "GET", "/accounts").status_code == 200
    problem(ask(startup, key, "GET", "/contacts"), 403, "forbidden")
    problem(ask(startup, key, "POST", "/accounts", {"name": "A"}), 403, "forbidden")
    told = problem(startup.rep.post("/auth/api-keys", {"name": "A", "scopes": ["user:manage"]}), 422, "invalid_value")
    assert pointers(told) == {"/scopes"}


def test_a_user_who_loses_a_right_loses_it_for_their_keys_too(startup, make):
    person = startup.hires(Role.REP)
    key = make(person)["key"]
    assert ask(startup, key, "POST", "/accounts", {"name": "A"}).status_code == 201
    startup.admin.post(f"/users/{person.id}/role", {"role": "viewer"})
    problem(ask(startup, key, "POST", "/accounts", {"name": "A"}), 403, "forbidden")
    assert ask(startup, key, "GET", "/accounts").status_code == 200
    startup.admin.post(f"/users/{person.id}/deactivate")
    problem(ask(startup, key, "GET", "/accounts"), 401, "invalid_token")


def test_an_ended_key_is_worth_nothing_at_once(startup, make):
    made = make()
    assert ask(startup, made["key"], "GET", "/accounts").status_code == 200
    assert startup.admin.delete(f"/auth/api-keys/{made['id']}").status_code == 204
    problem(ask(startup, made["key"], "GET", "/accounts"), 401, "invalid_token")
    problem(startup.admin.delete(f"/auth/api-keys/{made['id']}"), 404, "not_found")


def test_nobody_ends_or_sees_the_keys_of_others(startup, rival, make):
    made = make()
    problem(startup.rep.delete(f"/auth/api-keys/{made['id']}"), 404, "not_found")
    problem(rival.admin.delete(f"/auth/api-keys/{made['id']}"), 404, "not_found")
    assert startup.rep.get("/auth/api-keys").json()["items"] == []
    assert ask(startup, made["key"], "GET", "/accounts").status_code == 200


def test_a_key_expires(startup, make):
    soon = datetime.now(UTC) + timedelta(hours=1)
    made = make(expires_at=soon.isoformat())
    with startup.application.database.transaction(startup.profile.id) as transaction:
        transaction.execute(
            "UPDATE api_keys SET expires_at = clock_timestamp() WHERE tenant_id = %(tenant)s AND key_id = %(id)s",
            {"id": made["id"]},
        )
    problem(ask(startup, made["key"], "GET", "/accounts"), 401, "expired_token")
    past = {"name": "A", "expires_at": "2020-01-01T00:00:00Z"}
    assert pointers(problem(startup.admin.post("/auth/api-keys", past), 422, "invalid_value")) == {"/expires_at"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/auth/api-keys", {"name": "Another"}),
        ("GET", "/auth/api-keys", None),
        ("PATCH", f"/auth/api-keys/{NOBODY}", {"rate_limits": {}}),
        ("DELETE", f"/auth/api-keys/{NOBODY}", None),
        ("GET", "/auth/second-factor", None),
        ("POST", "/auth/second-factor", {"password": "no key may try this one"}),
        ("POST", "/auth/second-factor/confirm", {"code": "287082"}),
        ("POST", "/auth/second-factor/turn-off", {"password": "no key may try this one", "code": "287082"}),
        ("GET", "/auth/sessions", None),
        ("POST", "/auth/logout", None),
        (
            "POST",
            "/auth/change-password",
            {"old_password": "no key may try this one", "new_password": "nor may it choose this one"},
        ),
        ("GET", "/auth/browser", None),
    ],
)
def test_what_only_a_person_does_no_key_does(startup, make, method, path, body):
    told = problem(ask(startup, make()["key"], method, path, body), 403, "forbidden")
    assert "log in" in told["detail"]


@pytest.mark.parametrize("text", ["cfk_", "cfk_nonsense", "cfk_" + "A" * 108, "cfk_é"])
def test_a_made_up_key_is_none(startup, text):
    answer = startup.client.get(f"{API}/accounts", headers={"Authorization": f"Bearer {text}".encode()})
    problem(answer, 401, "invalid_token")


def test_a_key_with_another_users_or_tenants_name_in_it_is_none(startup, rival, make):
    token = KeyToken.read(make()["key"])
    for changed in (
        KeyToken(tenant=token.tenant, user=startup.rep.id, id=token.id, secret=token.secret),
        KeyToken(tenant=rival.profile.id, user=token.user, id=token.id, secret=token.secret),
        KeyToken(tenant=token.tenant, user=token.user, id=token.id, secret=bytes(32)),
    ):
        problem(ask(startup, changed.text, "GET", "/accounts"), 401, "invalid_token")


def test_what_happens_to_keys_is_told_and_their_use_once_an_hour(startup, make):
    made = make(scopes=["account:read"])
    for _ in range(3):
        ask(startup, made["key"], "GET", "/accounts")
    startup.admin.delete(f"/auth/api-keys/{made['id']}")
    journal = startup.application.store.stream(startup.profile.id, f"access-{startup.admin.id}")
    key = UUID(made["id"])
    assert [each.event for each in journal] == [
        ApiKeyMade(key=key, name="Nightly export", scopes=("account:read",)),
        ApiKeyUsed(key=key),
        ApiKeyEnded(key=key),
    ]
    assert {each.metadata.actor for each in journal} == {f"user-{startup.admin.id}"}
