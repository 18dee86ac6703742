"""What an API key can do of all that there is: nothing that gives anybody access beyond the key's scopes."""

import pytest

from api.app import OPERATIONS
from api.operations import Operation
from domain.permissions import HELD_BY, Role
from tests.api.kinds import KINDS, body_of
from tests.api.stand import NOBODY, Company, company, problem
from tests.api.test_api_keys import ask

RECORDS = {kind.path for kind in KINDS} - {"users"} | {"files"}
ASKED = [each for each in OPERATIONS if not each.public]
BY_KEYS = {
    *("myself", "search", "audit", "pipeline", "leaderboard", "get-tenant"),
    *("create-user", "list-users", "get-user", "edit-user", "archive-user", "deactivate-user"),
    *("timeline-of-user", "history-of-user"),
}
"""What keys can do beside the commands and queries on records of a tenant's business. Whatever isn't named here gives
access, or takes away more of it than one user's: passwords, roles, sessions, second factors, keys, the tenant."""


def admins_key(made: Company, scopes: list[str] | None = None) -> str:
    body = {"name": "A program", **({} if scopes is None else {"scopes": scopes})}
    answer = made.admin.post("/auth/api-keys", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["key"])


@pytest.fixture(scope="module")
def keyed(application, client):
    made = company(application, client)
    return made, admins_key(made)


@pytest.mark.parametrize("operation", ASKED, ids=lambda each: each.name)
def test_each_operation_is_for_keys_or_for_people(keyed, operation: Operation):
    made, key = keyed
    path = operation.path.replace("{id:uuid}", str(NOBODY))
    params = {"q": "a"} if operation.name == "search" else {}
    answer = ask(made, key, operation.method, path, operation.example, **params)
    if operation.tag in RECORDS or operation.name in BY_KEYS:
        assert not operation.by_person
        assert answer.status_code != 401
        assert "log in" not in answer.text.lower()
    else:
        assert operation.by_person
        assert "log in" in problem(answer, 403, "forbidden")["detail"]


def test_what_is_said_of_keys_is_there():
    assert {each.name for each in ASKED} >= BY_KEYS


def test_a_key_gives_nobody_a_password(startup):
    key = admins_key(startup)
    body = body_of(KINDS[-1], password="a program would know this one")
    assert "password" in problem(ask(startup, key, "POST", "/users", body), 403, "forbidden")["detail"]
    path, set_password = f"/users/{startup.rep.id}/set-password", {"password": "a program would know this one"}
    narrow = admins_key(startup, ["user:manage"])
    for each in (key, narrow):
        problem(ask(startup, each, "POST", path, set_password), 403, "forbidden")


@pytest.mark.parametrize("role", list(Role))
def test_a_key_makes_nobody_who_may_do_more_than_it(startup, role):
    body = body_of(KINDS[-1], role=role)
    assert (
        "itself"
        in problem(ask(startup, admins_key(startup, ["user:create"]), "POST", "/users", body), 403, "forbidden")[
            "detail"
        ]
    )
    as_much = sorted({*HELD_BY[role], "user:create"})
    assert ask(startup, admins_key(startup, as_much), "POST", "/users", body).status_code == 201
    less = sorted({*HELD_BY[role], "user:create"} - {"deal:read"})
    problem(ask(startup, admins_key(startup, less), "POST", "/users", body), 403, "forbidden")


@pytest.mark.parametrize(("field", "value"), [("email", "elsewhere@example.com"), ("email", None), ("manager", None)])
def test_a_key_changes_neither_where_mail_goes_nor_whose_records_somebody_sees(startup, field, value):
    path = f"/users/{startup.rep.id}"
    for key in (admins_key(startup), admins_key(startup, ["user:update"])):
        assert field in problem(ask(startup, key, "PATCH", path, {field: value}), 403, "forbidden")["detail"]
        assert ask(startup, key, "PATCH", path, {"office": "Arlington"}).status_code == 200
    assert startup.admin.patch(path, {field: value}).status_code == 200


def test_a_key_lets_nobody_in_again(startup):
    key = admins_key(startup)
    assert ask(startup, key, "POST", f"/users/{startup.rep.id}/deactivate").status_code == 200
    for verb in ("activate", "restore"):
        problem(ask(startup, key, "POST", f"/users/{startup.rep.id}/{verb}"), 403, "forbidden")
    assert startup.admin.post(f"/users/{startup.rep.id}/activate").status_code == 200


def test_a_scoped_key_loses_what_its_user_loses(startup):
    person = startup.hires(Role.REP)
    body = {"name": "A program", "scopes": ["account:create", "account:read"]}
    key = person.post("/auth/api-keys", body).json()["key"]
    assert ask(startup, key, "POST", "/accounts", {"name": "A"}).status_code == 201
    startup.admin.post(f"/users/{person.id}/role", {"role": "viewer"})
    problem(ask(startup, key, "POST", "/accounts", {"name": "A"}), 403, "forbidden")
    assert ask(startup, key, "GET", "/accounts").status_code == 200
    told = ask(startup, key, "GET", "/auth/me").json()
    assert told["permissions"] == ["account:read"]
