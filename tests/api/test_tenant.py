"""One's own tenant: what its admins see and set."""

import pytest

from domain.permissions import Role
from tests.api.stand import problem


def test_an_admin_sees_the_tenant_and_nothing_of_the_operators(startup):
    answer = startup.admin.get("/tenant")
    assert answer.json() == {
        "id": str(startup.profile.id),
        "version": 1,
        "name": "Acme",
        "subdomain": startup.profile.subdomain,
        "time_zone": "UTC",
        "viewers_see": "all",
    }
    assert answer.headers["etag"] == '"1"'


def test_an_admin_changes_what_is_theirs_to_change(startup):
    change = {"name": "Acme & Sons", "time_zone": "Europe/Paris", "viewers_see": "own"}
    answer = startup.admin.patch("/tenant", change)
    assert answer.status_code == 200
    assert answer.json() | change == answer.json()
    assert answer.headers["etag"] == '"2"'
    assert startup.admin.get("/auth/me").json()["tenant"]["time_zone"] == "Europe/Paris"
    assert startup.application.tenancy.profile(startup.profile.id).plan == startup.profile.plan
    assert startup.admin.patch("/tenant", change).json()["version"] == 2


def test_the_answer_counts_in_no_log_that_the_client_knows(startup):
    assert "clientforge-position" not in startup.admin.patch("/tenant", {"name": "A"}).headers


def test_another_version_is_not_overwritten(startup):
    startup.admin.patch("/tenant", {"name": "A"})
    problem(startup.admin.patch("/tenant", {"name": "B"}, **{"If-Match": '"1"'}), 412, "version_mismatch")
    assert startup.admin.patch("/tenant", {"name": "B"}, **{"If-Match": '"2"'}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"plan": "enterprise"},
        {"max_users": 1000},
        {"subdomain": "else"},
        {"settings": {"viewers_see": "own"}},
        {"billing_email": "a@example.com"},
        {"trial_ends": "2999-01-01"},
        {"viewers_see": "nothing"},
        {"time_zone": "Mars/Olympus"},
    ],
)
def test_what_is_the_operators_stays_so(startup, body):
    assert startup.admin.patch("/tenant", body).status_code == 422
    assert startup.admin.get("/tenant").json()["version"] == 1


@pytest.mark.parametrize("role", [Role.VIEWER, Role.REP, Role.MANAGER])
def test_nobody_else_sees_or_changes_it(acme, role):
    problem(acme.people[role].get("/tenant"), 403, "forbidden")
    problem(acme.people[role].patch("/tenant", {"name": "Mine"}), 403, "forbidden")


def test_what_viewers_see_is_set_for_the_next_request(startup):
    account = startup.admin.makes("/accounts", {"name": "A"})
    own = startup.admin.makes("/accounts", {"name": "B", "owner": str(startup.viewer.id)})

    def seen() -> list[str]:
        return [each["id"] for each in startup.viewer.get("/accounts").json()["items"]]

    startup.viewer.ask("GET", "/accounts", headers={"ClientForge-Min-Position": str(_head(startup))})
    assert seen() == [account, own]
    startup.admin.patch("/tenant", {"viewers_see": "own"})
    assert seen() == [own]
    startup.admin.patch("/tenant", {"viewers_see": "all"})
    assert seen() == [account, own]


def _head(company) -> int:
    return company.application.store.head(company.profile.id)
