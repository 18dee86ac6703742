"""What a company's users are bound to, all of them together."""

from domain.permissions import Role
from tests.api.stand import problem


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
    assert "`default_pipeline_needed`" in told("/pipelines/{id}", "delete")
