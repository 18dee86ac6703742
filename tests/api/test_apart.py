"""Tenants are kept apart on every route, and nobody gets further than their role."""

import pytest

from api.app import OPERATIONS
from api.operations import Operation
from domain.permissions import HELD_BY, Role
from tests.api.kinds import KINDS, body_of, each_kind
from tests.api.stand import NOBODY, problem
from tests.api.uploads import attached

OF_ONE_RECORD = [each for each in OPERATIONS if "{id:uuid}" in each.path]
GUARDED = [each for each in OPERATIONS if not each.public]


@pytest.fixture(scope="module")
def theirs(rival) -> dict[str, str]:
    """A record of each kind that belongs to the rival, and a session of theirs."""
    records = {kind.path: rival.admin.makes(f"/{kind.path}", body_of(kind)) for kind in KINDS}
    records["files"] = attached(rival.admin, records["accounts"])
    return {**records, "auth": rival.admin.get("/auth/sessions").json()["items"][0]["id"]}


def address(operation: Operation, record: str) -> str:
    return operation.path.replace("{id:uuid}", record)


@pytest.mark.parametrize("operation", OF_ONE_RECORD, ids=lambda each: each.name)
def test_a_record_of_another_tenant_is_not_there(acme, rival, theirs, operation):
    record = theirs[operation.tag]
    before = rival.application.store.head(rival.profile.id)
    answer = acme.admin.ask(operation.method, address(operation, record), operation.example)
    problem(answer, 404, "not_found")
    assert rival.application.store.head(rival.profile.id) == before


def test_every_operation_on_one_record_is_tried_with_anothers(theirs):
    assert {each.tag for each in OF_ONE_RECORD} == set(theirs)
    assert len(OF_ONE_RECORD) > 40


@each_kind
def test_lists_hold_nothing_of_another_tenant(acme, theirs, kind):
    items = acme.admin.get(f"/{kind.path}", limit="200").json()["items"]
    assert theirs[kind.path] not in {each["id"] for each in items}


def test_search_audit_and_analytics_hold_nothing_of_another_tenant(acme, rival):
    name = "Zyxomma petiolatum"
    theirs = rival.admin.makes("/accounts", {"name": name})
    rival.admin.makes("/deals", {"name": name, "amount": "7777777", "currency": "CHF"})
    assert [each["id"] for each in rival.admin.get("/search", q=name, types="account").json()["items"]] == [theirs]
    assert acme.admin.get("/search", q=name).json()["items"] == []
    assert theirs in rival.admin.get("/audit").text
    for path in ("/audit", f"/audit?entity=account&id={theirs}", f"/audit?actor={rival.admin.id}"):
        assert theirs not in acme.admin.get(path).text
    assert "CHF" in rival.admin.get("/analytics/pipeline").text
    assert "CHF" not in acme.admin.get("/analytics/pipeline").text


def test_a_cursor_of_another_tenant_is_of_no_use(acme, rival):
    for name in "AB":
        rival.admin.makes("/accounts", {"name": name})
    cursor = rival.admin.get("/accounts", limit="1").json()["next"]
    problem(acme.admin.get("/accounts", limit="1", cursor=cursor), 422, "invalid_cursor")


@pytest.mark.parametrize(("path", "field"), [("/accounts", "owner"), ("/accounts", "parent"), ("/deals", "account")])
def test_a_record_of_another_tenant_can_not_be_referred_to(acme, rival, theirs, path, field):
    record = str(rival.admin.id) if field == "owner" else theirs["accounts"]
    told = problem(acme.admin.post(path, {"name": "A", field: record}), 422, "unknown_reference")
    assert told["errors"][0]["pointer"] == f"/{field}"


@pytest.mark.parametrize("operation", GUARDED, ids=lambda each: each.name)
def test_every_operation_but_those_that_let_somebody_in_needs_a_token(client, operation):
    path = f"/api/v1{address(operation, str(NOBODY))}"
    body = {"json": operation.example} if operation.example is not None else {}
    answer = client.request(operation.method, path, **body)
    problem(answer, 401, "not_authenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_only_what_lets_somebody_in_is_public():
    assert {each.name for each in OPERATIONS if each.public} == {
        *("log-in", "log-browser-in", "refresh", "register"),
        *("request-password-reset", "validate-reset-token", "reset-password"),
        *("verify-email", "resend-verification", "accept-invitation"),
    }


@pytest.mark.parametrize("role", Role)
def test_each_role_does_what_it_may_and_nothing_else(acme, role):
    """A 404 for a record that isn't there, or anything else, says that the role was not in the way."""
    person = acme.people[role]
    for operation in OPERATIONS:
        if operation.permission is None:
            continue
        answer = person.ask(operation.method, address(operation, str(NOBODY)), unusable(operation))
        if operation.permission in HELD_BY[role]:
            assert answer.status_code != 403, (operation.name, answer.text)
        else:
            problem(answer, 403, "forbidden")


def test_roles_differ_as_the_rules_say(acme):
    rep, viewer, manager = acme.rep, acme.viewer, acme.people[Role.MANAGER]
    for person in (rep, manager, acme.admin):
        id = person.makes("/accounts", {"name": "A"})
        assert person.patch(f"/accounts/{id}", {"name": "B"}).status_code == 200
        assert person.delete(f"/accounts/{id}").status_code == 200
    assert viewer.get("/accounts").status_code == 200
    for answer in (viewer.post("/accounts", {"name": "A"}), rep.post("/users", {"first_name": "A", "last_name": "B"})):
        problem(answer, 403, "forbidden")
    problem(manager.post(f"/users/{rep.id}/set-password", {"password": "long enough password"}), 403, "forbidden")
    problem(manager.post(f"/users/{rep.id}/role", {"role": "admin"}), 403, "forbidden")


def unusable(operation: Operation):
    """A body that is refused after the right was checked, so that nothing is created."""
    return {"no such field": 1} if operation.creates else operation.example
