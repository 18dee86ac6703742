"""Every route × role × whose record, compared with the table that docs/rights.md prints."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from httpx import Response
from msgspec import structs

from api.app import OPERATIONS
from api.operations import Operation
from api.rights import OF_ONESELF, printed, rule_of
from domain.permissions import ATTACHED, OWNED, RIGHTS, Role
from tests.api.kinds import KINDS, body_of
from tests.api.staff import RELATIONS, Staff, staff
from tests.api.stand import API, NOBODY, Person, problem
from tests.api.uploads import attached
from tests.architecture.sources import ROOT

PAGE = ROOT / "docs" / "rights.md"
OF_ONE_RECORD = [each for each in OPERATIONS if "{id:uuid}" in each.path]
OTHERS = [each for each in OPERATIONS if "{id:uuid}" not in each.path]
OF_KIND = {each.path: each for each in KINDS}
ENTITY = {**{each.path: each.entity for each in KINDS}, "files": "file"}
REACHED = {
    "all": set(RELATIONS),
    "team": {"own", "team", "nobody's"},
    "own": {"own"},
    "–": set[str](),
}


@pytest.fixture(scope="module", params=["all", "own"])
def people(application, client, request) -> Staff:
    return staff(application, client, viewers_see=request.param)


def table() -> Mapping[str, Mapping[Role, str]]:
    """The permissions as the page prints them."""
    lines = PAGE.read_text().partition("<!-- permissions -->\n")[2].partition("<!-- end")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    roles = [Role(name) for name in rows[0][1:]]
    return {row[0].strip("`"): dict(zip(roles, row[1:], strict=True)) for row in rows[2:]}


TABLE = table()


def reached(permission: str, role: Role, actor: str) -> set[str]:
    """The relations in which the page says that the permission goes with a record."""
    cell = TABLE[permission][role]
    return REACHED[actor.removeprefix("viewer of ") if cell == "all or own" else cell]


def test_the_page_prints_the_table_that_is_asked():
    page = PAGE.read_text()
    assert page == printed(page, OPERATIONS), "run `python -m api.rights`"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_every_route_has_a_rule(operation):
    assert rule_of(operation)
    if operation.permission is not None:
        assert operation.permission in RIGHTS
        assert not operation.public


def test_a_route_without_a_rule_is_noticed():
    for strange in ({"permission": None, "name": "new"}, {"permission": "deal:steal"}):
        with pytest.raises(KeyError):
            rule_of(structs.replace(OPERATIONS[-1], **strange))


def test_what_needs_no_permission_is_there():
    assert set(OF_ONESELF) == {each.name for each in OPERATIONS if each.permission is None and not each.public}


def asked(people: Staff, person: Person, operation: Operation, record: str = "") -> Response:
    """The operation as its example has it; an empty body where that is all."""
    path = operation.path.replace("{id:uuid}", record)
    params = {"q": "Analytical"} if operation.name == "search" else {}
    if operation.opens is not None:
        where = {"entity": "account", "record": people.makes(OF_KIND["accounts"], person.id if person.token else None)}
        form: Any = {"params": where, "files": {"file": ("a.txt", b"a")}}
        return person.ask("POST", path, **form) if person.token else person.client.post(API + path, **form)
    if not person.token:
        body = {} if operation.example is None else {"json": operation.example}
        return person.client.request(operation.method, API + path, params=params, **body)
    return person.ask(operation.method, path, operation.example, params=params, headers=people.up_to_date)


def made(people: Staff, operation: Operation, owner: UUID | None) -> str:
    """A record of the operation's kind with that owner; a file hangs on one."""
    if operation.tag == "files":
        return attached(people.company.admin, people.makes(OF_KIND["accounts"], owner))
    return people.makes(OF_KIND[operation.tag], owner)


def actors(people: Staff) -> Iterator[tuple[str, Role, Person]]:
    for name, (role, person) in people.actors.items():
        yield name, role, person


def test_each_role_reaches_the_records_that_the_table_says(people):
    tried: Counter[int] = Counter()
    for operation in OF_ONE_RECORD:
        entity = ENTITY.get(operation.tag)
        if entity not in (*OWNED, *ATTACHED):
            continue
        assert operation.permission is not None
        for name, role, person in actors(people):
            for relation in RELATIONS:
                owner = people.owner(relation, person) if person.token else people.below.id
                answer = asked(people, person, operation, made(people, operation, owner))
                case = (operation.name, name, relation, answer.status_code, answer.text)
                tried[answer.status_code] += 1
                if not person.token:
                    problem(answer, 401, "not_authenticated")
                elif TABLE[operation.permission][role] == "–":
                    problem(answer, 403, "forbidden")
                elif relation not in reached(f"{entity}:read", role, name):
                    told = problem(answer, 404, "not_found")
                    assert told["detail"] == asked(people, person, operation, str(NOBODY)).json()["detail"], case
                elif relation not in reached(operation.permission, role, name):
                    problem(answer, 403, "forbidden")
                else:
                    assert answer.status_code in (200, 409, 422), case
                    assert operation.method != "GET" or answer.status_code == 200, case
    assert min(tried[200], tried[401], tried[403], tried[404]) > 50, tried


def test_each_role_does_with_what_is_everybodys_what_the_table_says(people):
    for operation in OF_ONE_RECORD:
        kind = OF_KIND.get(operation.tag)
        if kind is None or kind.entity in OWNED:
            continue
        assert operation.permission is not None
        for name, role, person in actors(people):
            answer = asked(people, person, operation, people.makes(kind))
            if not person.token:
                problem(answer, 401, "not_authenticated")
            elif TABLE[operation.permission][role] == "–":
                problem(answer, 403, "forbidden")
            else:
                assert TABLE[operation.permission][role] == "all"
                assert answer.status_code in (200, 204, 409, 422), (operation.name, name, answer.text)


def test_each_role_asks_for_no_more_than_the_table_says(people):
    for operation in OTHERS:
        for name, role, person in actors(people):
            fresh = people.company.token_of(person.id) if person.token else ""  # some of these end the session
            creates = operation.creates and operation.opens is None
            body = body_of(OF_KIND[operation.tag]) if creates else operation.example
            answer = asked(people, replace(person, token=fresh), structs.replace(operation, example=body))
            case = (operation.name, name, answer.status_code, answer.text)
            if operation.public:
                refused = ("wrong_credentials", "invalid_token", "link_not_valid", "sign_up_off")
                assert answer.status_code == 202 or answer.json()["code"] in refused, case
            elif not person.token:
                problem(answer, 401, "not_authenticated")
            elif operation.permission is not None and TABLE[operation.permission][role] == "–":
                problem(answer, 403, "forbidden")
            elif operation.name in ("change-password", "begin-second-factor", "turn-second-factor-off"):
                problem(answer, 422, "wrong_password")
            elif operation.name == "confirm-second-factor":
                problem(answer, 409, "second_factor_off")
            else:
                assert answer.status_code in (200, 201, 204), case


def test_sessions_and_keys_are_their_users_alone(people):
    [session, *_] = people.below.get("/auth/sessions").json()["items"]
    key = people.below.makes("/auth/api-keys", {"name": "A"})
    theirs = {"end-session": session["id"], "end-api-key": key, "edit-api-key": key}
    of_oneself = {each.name: each for each in OF_ONE_RECORD if each.permission is None}
    assert set(theirs) == set(of_oneself)
    for name, operation in of_oneself.items():
        for _, _, person in actors(people):
            answer = asked(people, person, operation, theirs[name])
            problem(answer, *((404, "not_found") if person.token else (401, "not_authenticated")))


def test_every_route_with_a_record_is_tried_with_some():
    assert {each.tag for each in OF_ONE_RECORD if each.permission is not None} == set(ENTITY)
