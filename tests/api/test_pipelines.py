"""Which of a company's pipelines new deals go into."""

import pytest

from tests.api.stand import problem

STAGES = [
    {"name": "Due", "probability": 60},
    {"name": "Renewed", "kind": "won", "probability": 100},
    {"name": "Cancelled", "kind": "lost", "probability": 0},
]


@pytest.fixture
def renewals(startup):
    """A second pipeline."""
    return startup.admin.makes("/pipelines", {"name": "Renewals", "stages": STAGES})


def defaults(person):
    return [each["name"] for each in person.get("/pipelines").json()["items"] if each["default"]]


def test_another_pipeline_is_made_the_default_one(startup, renewals):
    admin = startup.admin
    assert defaults(admin) == ["Sales"]

    answer = admin.post(f"/pipelines/{renewals}/make-default")

    assert answer.status_code == 200, answer.text
    assert (answer.json()["id"], answer.json()["version"], answer.headers["etag"]) == (renewals, 2, '"2"')
    assert defaults(admin) == ["Renewals"]
    deal = startup.rep.makes("/deals", {"name": "Engine"})
    assert startup.rep.get(f"/deals/{deal}").json()["pipeline"] == renewals
    problem(admin.delete(f"/pipelines/{renewals}"), 409, "default_pipeline_needed")


def test_the_history_of_both_tells_it(startup, renewals):
    admin = startup.admin
    (sales,) = [each["id"] for each in admin.get("/pipelines").json()["items"] if each["default"]]
    admin.post(f"/pipelines/{renewals}/make-default")
    for pipeline, before in ((sales, True), (renewals, False)):
        last = admin.get(f"/pipelines/{pipeline}/history").json()["items"][-1]
        assert last["type"] == "pipeline.edited.v1"
        assert last["changed"] == [{"field": "default", "before": before, "after": not before}]
    assert admin.delete(f"/pipelines/{sales}").status_code == 200


def test_making_it_the_default_one_again_changes_nothing(startup, renewals):
    path = f"/pipelines/{renewals}/make-default"
    first = startup.admin.post(path, **{"Idempotency-Key": "once"})
    assert startup.admin.post(path).json()["version"] == 2
    assert startup.admin.post(path, **{"Idempotency-Key": "once"}).json() == first.json()


def test_who_may_not_or_cannot_make_it_the_default_one(startup, renewals):
    path = f"/pipelines/{renewals}/make-default"
    problem(startup.viewer.post(path), 403, "forbidden")
    problem(startup.admin.post(path, **{"If-Match": '"7"'}), 412, "version_mismatch")
    startup.admin.delete(f"/pipelines/{renewals}")
    problem(startup.admin.post(path), 409, "archived")
    assert defaults(startup.admin) == ["Sales"]


def test_a_new_pipeline_takes_nothing_over(startup):
    body = {"name": "Renewals", "stages": STAGES, "default": True}
    told = problem(startup.admin.post("/pipelines", body), 409, "already_taken")
    assert [each["pointer"] for each in told["errors"]] == ["/default"]
