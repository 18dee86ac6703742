"""What every kind of record can do over HTTP."""

import pytest

from tests.api.kinds import KINDS, body_of, each_kind
from tests.api.stand import API, NOBODY, pointers, problem

OWNED = [each for each in KINDS if "owner" in each.create.__struct_fields__]


@each_kind
def test_a_created_record_is_read_back_at_once(acme, kind):
    answer = acme.admin.post(f"/{kind.path}", body_of(kind))
    outcome = answer.json()
    assert answer.status_code == 201
    assert set(outcome) == {"id", "version", "position"}
    assert answer.headers["location"] == f"{API}/{kind.path}/{outcome['id']}"
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["clientforge-position"] == str(outcome["position"])
    found = acme.admin.get(answer.headers["location"])
    assert found.status_code == 200, found.text
    assert found.headers["etag"] == '"1"'
    assert "clientforge-stale" not in found.headers
    assert (found.json()["id"], found.json()["version"]) == (outcome["id"], 1)


@each_kind
def test_an_edit_changes_what_it_names_and_a_null_empties(acme, kind):
    id = acme.admin.makes(f"/{kind.path}", body_of(kind))
    before = acme.admin.get(f"/{kind.path}/{id}").json()
    answer = acme.admin.patch(f"/{kind.path}/{id}", kind.edit_example)
    assert answer.status_code == 200, answer.text
    assert answer.json()["version"] == 2
    assert answer.headers["etag"] == '"2"'
    after = acme.admin.get(f"/{kind.path}/{id}").json()
    for name in kind.edit_example:
        assert after[name] != before[name]
    for name, value in kind.edit_example.items():
        assert value is not None or after[name] is None
    derived = {*kind.edit_example, "version", "updated_at", "updated_by", "weighted"}
    assert {name: value for name, value in after.items() if name not in derived} == {
        name: value for name, value in before.items() if name not in derived
    }


@each_kind
def test_an_edit_that_changes_nothing_keeps_the_version(acme, kind):
    id = acme.admin.makes(f"/{kind.path}", body_of(kind))
    assert acme.admin.patch(f"/{kind.path}/{id}", {}).json()["version"] == 1


@each_kind
def test_an_archived_record_leaves_the_list_and_a_restored_one_is_back(startup, kind):
    admin = startup.admin
    id = admin.makes(f"/{kind.path}", body_of(kind))
    assert id in ids(admin.get(f"/{kind.path}"))
    assert admin.delete(f"/{kind.path}/{id}").json()["version"] == 2
    assert id not in ids(admin.get(f"/{kind.path}"))
    assert admin.get(f"/{kind.path}/{id}").json()["archived"] is True
    lifted = {"active": "any"} if kind.path == "users" else {"archived": "any"}
    assert id in ids(admin.get(f"/{kind.path}", **lifted))
    assert admin.post(f"/{kind.path}/{id}/restore").json()["version"] == 3
    assert id in ids(admin.get(f"/{kind.path}"))


@each_kind
def test_an_archived_record_takes_no_edit(acme, kind):
    id = acme.admin.makes(f"/{kind.path}", body_of(kind))
    acme.admin.delete(f"/{kind.path}/{id}")
    problem(acme.admin.patch(f"/{kind.path}/{id}", kind.edit_example), 409, "archived")


@each_kind
def test_a_list_is_read_page_by_page_along_its_links(startup, kind):
    admin = startup.admin
    made = {admin.makes(f"/{kind.path}", body_of(kind, **named(kind, n))) for n in range(5)}
    seen, pages = [], 0
    answer = admin.get(f"/{kind.path}", limit="2", sort="created_at")
    while True:
        pages += 1
        seen += ids(answer)
        if answer.json()["next"] is None:
            assert "link" not in answer.headers
            break
        link = answer.headers["link"]
        assert link.endswith('>; rel="next"')
        assert "limit=2" in link
        answer = admin.get(link.partition(">")[0].removeprefix("<"))
    assert pages >= 3
    assert len(seen) == len(set(seen))
    assert made <= set(seen)


@each_kind
def test_history_tells_each_version_with_its_actor_and_changes(acme, kind):
    id = acme.admin.makes(f"/{kind.path}", body_of(kind))
    acme.admin.patch(f"/{kind.path}/{id}", kind.edit_example)
    versions = acme.admin.get(f"/{kind.path}/{id}/history").json()["items"]
    assert [each["version"] for each in versions] == [1, 2]
    assert {each["actor"] for each in versions} == {f"user-{acme.admin.id}"}
    assert versions[1]["changed"]
    assert versions[1]["recorded_at"].endswith("Z")


@each_kind
def test_the_timeline_starts_with_what_happened_last(acme, kind):
    id = acme.admin.makes(f"/{kind.path}", body_of(kind))
    acme.admin.patch(f"/{kind.path}/{id}", kind.edit_example)
    answer = acme.admin.get(f"/{kind.path}/{id}/timeline")
    assert "clientforge-stale" not in answer.headers
    assert [each["type"].split(".")[1] for each in answer.json()["items"]][-1] in ("created", "opened")
    assert answer.json()["items"][0]["position"] > answer.json()["items"][-1]["position"]


@each_kind
def test_what_is_not_there_is_not_found(acme, kind):
    admin, path = acme.admin, f"/{kind.path}/{NOBODY}"
    for answer in (
        admin.get(path),
        admin.patch(path, kind.edit_example),
        admin.delete(path),
        admin.post(f"{path}/restore"),
        admin.get(f"{path}/timeline"),
        admin.get(f"{path}/history"),
    ):
        problem(answer, 404, "not_found")
    problem(admin.get(f"/{kind.path}/not-a-uuid"), 404, "no_such_route")


@each_kind
def test_unknown_fields_and_parameters_are_refused(acme, kind):
    told = problem(acme.admin.post(f"/{kind.path}", body_of(kind, colour="red")), 422, "invalid_request")
    assert pointers(told) == {"/colour"}
    told = problem(acme.admin.get(f"/{kind.path}", colour="red"), 422, "invalid_request")
    assert pointers(told) == {"/colour"}
    problem(acme.admin.get(f"/{kind.path}", sort="colour"), 422, "invalid_sort")
    problem(acme.admin.get(f"/{kind.path}", cursor="colour"), 422, "invalid_cursor")
    problem(acme.admin.get(f"/{kind.path}", limit="201"), 422, "invalid_value")


@pytest.mark.parametrize("kind", OWNED, ids=lambda kind: kind.path)
def test_owner_me_lists_what_is_ones_own(startup, kind):
    mine = startup.rep.makes(f"/{kind.path}", body_of(kind))
    others = startup.admin.makes(f"/{kind.path}", body_of(kind))
    assert ids(startup.rep.get(f"/{kind.path}", owner="me")) == [mine]
    assert ids(startup.admin.get(f"/{kind.path}", owner="me")) == [others]
    assert startup.rep.get(f"/{kind.path}/{mine}").json()["owner"] == str(startup.rep.id)
    assert startup.rep.post(f"/{kind.path}/{mine}/assign", {"owner": str(startup.admin.id)}).status_code == 200
    assert ids(startup.rep.get(f"/{kind.path}", owner="me")) == []


def ids(answer):
    assert answer.status_code == 200, answer.text
    assert "clientforge-stale" not in answer.headers
    return [each["id"] for each in answer.json()["items"]]


def named(kind, number):
    return {"last_name": f"N{number}"} if kind.path in ("contacts", "users") else {"name": f"N{number}"}
