"""What a role sees is the same everywhere: in lists, alone, in search, reports, the trail, histories and timelines."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.permissions import OWNED, Role
from infrastructure.teams import team
from tests.api.kinds import KINDS
from tests.api.staff import RELATIONS, Staff, staff
from tests.api.stand import NOBODY, Person, pointers, problem

KIND = {each.entity: each for each in KINDS}
WORD = "Zyxomma"
NAMED: Mapping[str, Mapping[str, Any]] = {
    "account": {"name": WORD},
    "contact": {"last_name": WORD},
    "deal": {"name": WORD, "amount": "10.00", "currency": "USD", "lines": []},
}


@pytest.fixture(scope="module", params=["all", "own"])
def world(application, client, request) -> tuple[Staff, dict[str, str]]:
    """Records of all kinds in every relation to everybody, half of them archived, some given away; id → kind."""
    people = staff(application, client, viewers_see=request.param)
    admin, made = people.company.admin, dict[str, str]()
    owners = [None, people.below.id, people.beside.id, *(person.id for _, person in people.actors.values())]
    for entity in OWNED:
        kind = KIND[entity]
        for owner in dict.fromkeys(each for each in owners if each != NOBODY):
            kept, archived, moved = (people.makes(kind, owner, **NAMED[entity]) for _ in range(3))
            made |= dict.fromkeys((kept, archived, moved), entity)
            assert admin.delete(f"/{kind.path}/{archived}").status_code == 200
            answer = admin.post(f"/{kind.path}/{moved}/assign", {"owner": str(people.beside.id)})
            assert answer.status_code == 200
    return people, made


def everybody(people: Staff) -> Iterator[Person]:
    yield from (person for _, person in people.actors.values() if person.token)
    yield from (people.below, people.beside)


def told(people: Staff, person: Person, path: str, **params: str) -> Any:
    answer = person.ask("GET", path, params=params, headers=people.up_to_date)
    assert "clientforge-stale" not in answer.headers
    assert answer.status_code == 200, (path, answer.text)
    return answer.json()


def listed(people: Staff, person: Person, path: str, **params: str) -> list[Any]:
    """All items of a list, over all its pages."""
    items: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = told(people, person, path, **params, **cursor)
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = {"cursor": page["next"]}


def found(people: Staff, person: Person, record: str, entity: str, below: str = "") -> bool:
    answer = person.ask("GET", f"/{KIND[entity].path}/{record}{below}", headers=people.up_to_date)
    assert answer.status_code in (200, 404)
    return answer.status_code == 200


def seen_by(people: Staff, person: Person, made: Mapping[str, str]) -> set[str]:
    return {record for record, entity in made.items() if found(people, person, record, entity)}


def test_lists_show_what_single_gets_answer(world):
    people, made = world
    sizes = set()
    for person in everybody(people):
        seen = seen_by(people, person, made)
        sizes.add(len(seen))
        for entity in OWNED:
            rows = listed(people, person, f"/{KIND[entity].path}", archived="any", limit="7")
            assert {each["id"] for each in rows} == {each for each in seen if made[each] == entity}
    assert len(sizes) > 3
    assert max(sizes) == len(made)


def test_search_finds_what_single_gets_answer(world):
    people, made = world
    for person in everybody(people):
        hits = told(people, person, "/search", q=WORD, archived="true", limit="200")["items"]
        assert {each["id"] for each in hits} == seen_by(people, person, made)


@pytest.mark.parametrize("below", ["/history", "/timeline"])
def test_the_past_is_seen_by_whoever_sees_the_record(world, below):
    people, made = world
    for person in everybody(people):
        seen = seen_by(people, person, made)
        assert {record for record, entity in made.items() if found(people, person, record, entity, below)} == seen


def test_the_trail_shows_what_happened_to_records_that_one_sees(world):
    people, made = world
    for person in everybody(people):
        entries = listed(people, person, "/audit", limit="50")
        streams = {each["stream"].partition("-")[::2] for each in entries}
        assert {id for entity, id in streams if entity in OWNED} == seen_by(people, person, made)
        others = {entity for entity, _ in streams} - set(OWNED)
        assert others == ({"pipeline", "user"} if person is people.company.admin else {"pipeline"})
        positions = [each["position"] for each in entries]
        assert positions == sorted(set(positions), reverse=True)
        for record, entity in made.items():
            items = told(people, person, "/audit", entity=entity, id=record)["items"]
            assert bool(items) == (record in {id for _, id in streams})


def test_reports_count_the_deals_that_one_sees(world):
    people, made = world
    for person in everybody(people):
        deals = listed(people, person, "/deals")
        for as_of in ({}, {"as_of": datetime.now(UTC).isoformat()}):
            stages = told(people, person, "/analytics/pipeline", **as_of)["stages"]
            assert sum(each["deals"] for each in stages) == len(deals)
    for record in {each for each, entity in made.items() if entity == "deal"}:
        people.company.admin.post(f"/deals/{record}/close", {"outcome": "won"})
    for person in everybody(people):
        won = len(listed(people, person, "/deals", kind="won"))
        for by in ("owner", "manager", "office"):
            assert told(people, person, "/analytics/leaderboard", by=by)["total"]["won"] == won


@pytest.fixture
def people(application, client) -> Staff:
    return staff(application, client, viewers_see="all")


def manager_of(people: Staff) -> Person:
    return people.company.people[Role.MANAGER]


def rep_of(people: Staff) -> Person:
    return people.actors["rep"][1]


def test_another_manager_counts_for_the_next_request(people):
    manager, admin = manager_of(people), people.company.admin
    account = people.makes(KIND["account"], people.below.id)
    assert found(people, manager, account, "account")
    assert admin.patch(f"/users/{rep_of(people).id}", {"manager": None}).status_code == 200
    problem(manager.get(f"/accounts/{account}"), 404, "not_found")
    problem(manager.patch(f"/accounts/{account}", {"name": "Mine"}), 404, "not_found")
    assert manager.get("/accounts").json()["items"] == []
    assert admin.patch(f"/users/{people.below.id}", {"manager": str(manager.id)}).status_code == 200
    assert manager.patch(f"/accounts/{account}", {"name": "Mine"}).status_code == 200


def test_a_circle_of_managers_ends(people):
    database, tenant = people.company.application.database, people.company.profile.id
    manager, rep = manager_of(people).id, rep_of(people).id
    assert team(database, tenant, manager) == {rep, people.below.id}
    with database.transaction(tenant) as transaction:
        transaction.execute(
            "UPDATE principals SET manager = %(below)s WHERE tenant_id = %(tenant)s AND user_id = %(user)s",
            {"below": people.below.id, "user": manager},
        )
    assert team(database, tenant, manager) == {manager, rep, people.below.id}


def test_a_team_is_of_one_tenant(people, acme):
    database = people.company.application.database
    assert team(database, acme.profile.id, manager_of(people).id) == frozenset()


def test_who_gives_a_record_away_sees_no_more_of_it(people):
    rep = rep_of(people)
    deal = rep.makes("/deals", {"name": "A"})
    assert rep.get(f"/deals/{deal}").json()["owner"] == str(rep.id)
    assert rep.post(f"/deals/{deal}/assign", {"owner": str(people.beside.id)}).status_code == 200
    for below in ("", "/history", "/timeline"):
        problem(rep.get(f"/deals/{deal}{below}"), 404, "not_found")
        assert found(people, people.beside, deal, "deal", below)
    problem(rep.post(f"/deals/{deal}/assign", {"owner": str(rep.id)}), 404, "not_found")
    assert rep.get("/audit", entity="deal", id=deal).json()["items"] == []


def test_a_new_record_may_be_somebody_elses(people):
    rep = rep_of(people)
    account = rep.makes("/accounts", {"name": "A", "owner": str(people.beside.id)})
    problem(rep.get(f"/accounts/{account}"), 404, "not_found")
    assert found(people, people.beside, account, "account")


def test_what_nobody_owns_is_given_out_by_a_manager(people):
    lead = people.makes(KIND["contact"])
    problem(rep_of(people).post(f"/contacts/{lead}/assign", {"owner": str(rep_of(people).id)}), 404, "not_found")
    answer = manager_of(people).post(f"/contacts/{lead}/assign", {"owner": str(rep_of(people).id)})
    assert answer.status_code == 200
    assert found(people, rep_of(people), lead, "contact")


@pytest.mark.parametrize(
    ("path", "field", "entity"),
    [("/deals", "account", "account"), ("/contacts", "account", "account"), ("/accounts", "parent", "account"),
     ("/deals", "contacts", "contact")],
)  # fmt: skip
def test_a_record_that_one_does_not_see_can_not_be_named(people, path, field, entity):
    rep, kind = rep_of(people), next(each for each in KINDS if f"/{each.path}" == path)
    body = {"name": "A"} if entity != "account" or path != "/contacts" else {
        "first_name": "A", "last_name": "B", "phones": [{"number": "+1 202 555 0143"}]}  # fmt: skip
    mine, theirs = people.makes(KIND[entity], rep.id), people.makes(KIND[entity], people.beside.id)
    record = rep.makes(path, body)

    def naming(id: str) -> dict[str, Any]:
        return {field: [{"contact": id}] if field == "contacts" else id}

    for answer_to in (lambda told: rep.post(path, {**body, **told}), lambda told: rep.patch(f"{path}/{record}", told)):
        hidden, missing = (problem(answer_to(naming(id)), 422, "unknown_reference") for id in (theirs, str(NOBODY)))
        assert pointers(hidden) == pointers(missing) == {f"/{field}{'/0/contact' if field == 'contacts' else ''}"}
        assert hidden["detail"].replace(theirs, "") == missing["detail"].replace(str(NOBODY), "")
        assert answer_to(naming(mine)).status_code in (200, 201)
    # What a record mentions may stay, whoever named it.
    assert people.company.admin.patch(f"{path}/{record}", naming(theirs)).status_code == 200
    change = {"description": "New"} if kind.entity != "contact" else {"department": "New"}
    assert rep.patch(f"{path}/{record}", {**change, **naming(theirs)}).status_code == 200


def test_a_parent_may_be_named_whose_own_parent_is_out_of_sight(people):
    rep = rep_of(people)
    top = people.makes(KIND["account"], people.beside.id)
    middle = people.makes(KIND["account"], rep.id, parent=top)
    low = rep.makes("/accounts", {"name": "Low", "parent": middle})
    problem(people.company.admin.patch(f"/accounts/{top}", {"parent": low}), 422, "hierarchy_cycle")


def test_a_taken_value_names_its_holder_to_whoever_sees_it(people):
    body = {"name": "A", "external_id": "X-1"}
    holder = people.beside.makes("/accounts", body)
    assert problem(people.beside.post("/accounts", body), 409, "already_taken")["details"] == {"holder": holder}
    assert "details" not in problem(rep_of(people).post("/accounts", body), 409, "already_taken")


def test_a_timeline_leaves_out_what_happened_to_others_records_around(people):
    rep = rep_of(people)
    mine = people.makes(KIND["account"], rep.id)
    theirs = people.makes(KIND["account"], people.beside.id)
    on_mine = people.makes(KIND["deal"], people.beside.id, account=mine)
    on_theirs = people.makes(KIND["deal"], rep.id, account=theirs)
    assert {each["id"] for each in listed(people, rep, f"/accounts/{mine}/timeline")} == {mine}
    assert {each["id"] for each in listed(people, people.company.admin, f"/accounts/{mine}/timeline")} == {
        mine,
        on_mine,
    }
    assert not found(people, rep, theirs, "account", "/timeline")
    assert found(people, rep, on_theirs, "deal", "/timeline")


def test_what_happens_to_access_and_users_only_admins_see(people):
    rep, admin = rep_of(people), people.company.admin
    problem(rep.post("/users", {"first_name": "A", "last_name": "B"}), 403, "forbidden")
    access = told(people, admin, "/audit", entity="access", id=str(rep.id))
    assert [each["type"] for each in access["items"]] == ["access.request_forbidden.v1"]
    for person in everybody(people):
        if person is admin:
            continue
        for query in ({"entity": "access"}, {"entity": "user"}, {"entity": "user", "id": str(person.id)}):
            assert told(people, person, "/audit", **query)["items"] == []
        for below in ("history", "timeline"):
            problem(person.get(f"/users/{person.id}/{below}"), 403, "forbidden")
        assert person.get(f"/users/{rep.id}").status_code == 200


def test_from_where_others_worked_only_admins_see(people):
    admin, rep = people.company.admin, rep_of(people)
    account = rep.makes("/accounts", {"name": "A"})
    assert admin.patch(f"/accounts/{account}", {"name": "B"}).status_code == 200
    for person, addresses in ((admin, {"testclient"}), (rep, {None}), (people.company.viewer, {None})):
        entries = told(people, person, "/audit", entity="account", id=account)["items"]
        assert len(entries) == 2
        assert {each.get("address") for each in entries} == addresses


def test_a_key_sees_no_more_than_its_user_and_its_scopes(people):
    manager = manager_of(people)
    made = manager.post("/auth/api-keys", {"name": "A", "scopes": ["account:read", "audit:read"]}).json()
    program = replace(manager, token=made["key"])
    account, beside = people.makes(KIND["account"], people.below.id), people.makes(KIND["account"], people.beside.id)
    deal = people.makes(KIND["deal"], people.below.id, account=account)
    assert found(people, program, account, "account")
    assert not found(people, program, beside, "account")
    problem(program.patch(f"/accounts/{account}", {"name": "B"}), 403, "forbidden")
    assert {each["id"] for each in listed(people, program, f"/accounts/{account}/timeline")} == {account}
    assert {each["id"] for each in listed(people, manager, f"/accounts/{account}/timeline")} == {account, deal}
    assert {each["stream"] for each in listed(people, program, "/audit")} == {f"account-{account}"}


def test_another_tenants_team_reaches_nothing(people, application, client):
    others = staff(application, client, viewers_see="all")
    for relation in RELATIONS:
        account = people.makes(KIND["account"], people.owner(relation, manager_of(people)))
        for person in everybody(others):
            problem(person.get(f"/accounts/{account}"), 404, "not_found")
            problem(person.patch(f"/accounts/{account}", {"name": "A"}), *(
                (403, "forbidden") if person is others.company.viewer else (404, "not_found")))  # fmt: skip
