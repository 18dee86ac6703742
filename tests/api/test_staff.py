"""What a company's users are bound to, all of them together."""

from application.platform import PLATFORM
from domain.permissions import Role
from domain.tenants.commands import EditTenant
from tests.api.stand import company, problem
from tests.infrastructure.racing import operator


def test_the_last_admin_is_neither_demoted_nor_deactivated(startup):
    admin, path = startup.admin, f"/users/{startup.admin.id}"

    for answer in (
        admin.post(f"{path}/role", {"role": "manager"}),
        admin.post(f"{path}/deactivate"),
        admin.delete(path),
    ):
        problem(answer, 409, "last_admin")

    assert admin.get("/auth/me").json()["role"] == "admin"
    other = startup.hires(Role.ADMIN)
    assert other.post(f"{path}/role", {"role": "manager"}).status_code == 200
    problem(other.delete(f"/users/{other.id}"), 409, "last_admin")


def test_the_description_says_what_may_be_refused(client):
    paths = client.get("/api/openapi.json").json()["paths"]

    def told(path, method):
        return paths[f"/api/v1{path}"][method]["responses"]["409"]["description"]

    for path, method in (("", "delete"), ("/deactivate", "post"), ("/role", "post")):
        assert "`last_admin`" in told(f"/users/{{id}}{path}", method)
    for path in ("", "/{id}/restore", "/{id}/activate"):
        assert "`too_many_users`" in told(f"/users{path}", "post")
    assert "`default_pipeline_needed`" in told("/pipelines/{id}", "delete")


def test_a_full_company_lets_nobody_more_in(application, client):
    full = company(application, client, max_users=5)
    admin, path = full.admin, f"/users/{full.viewer.id}"
    assert admin.post("/users", {"first_name": "Ada", "last_name": "Byron"}).status_code == 201
    assert admin.delete(path).status_code == 200
    kept = {"first_name": "Grace", "last_name": "Hopper"}
    assert admin.post("/users", kept, **{"Idempotency-Key": "grace"}).status_code == 201

    for answer in (
        admin.post("/users", {"first_name": "Mary", "last_name": "Shelley"}),
        admin.post(f"{path}/restore"),
        admin.post(f"{path}/activate"),
    ):
        assert problem(answer, 409, "too_many_users")["details"] == {"limit": 5}

    assert admin.post("/users", kept, **{"Idempotency-Key": "grace"}).status_code == 201
    assert admin.patch(f"/users/{full.rep.id}", {"office": "East"}).status_code == 200
    raised = EditTenant(max_users=None)
    application.handler.handle(operator(PLATFORM), "tenant", full.profile.id, raised)
    assert admin.post(f"{path}/restore").status_code == 200
