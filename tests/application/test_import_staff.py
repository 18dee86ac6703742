"""Imported users are bound to what holds for all users of a tenant, in a file and beside it."""

import pytest
from uuid_utils.compat import uuid7

from application.handling import Handler
from application.tenancy import Tenancy
from domain.identity.commands import CreateUser, DeactivateUser
from domain.permissions import Role
from domain.tenants.commands import RegisterTenant
from infrastructure.rehearsal import Rehearsal, Silence
from tests.application.importing import Office
from tests.application.test_import_conflicts import Meddled, together
from tests.fixtures import event_store

USERS = """
external_id = "id"
[fields]
first_name = { default = "Ada" }
last_name = { default = "Byron" }
role = "role"
"""
HEADER = "id,role\n"


def full(rows: int, start: int = 0) -> str:
    return HEADER + "".join(f"u{start + number},rep\n" for number in range(rows))


@pytest.fixture
def small(store) -> Office:
    """A tenant with three users at most."""
    command = RegisterTenant(name="Acme", subdomain=f"acme-{uuid7().hex}", max_users=3)
    return Office(store, Tenancy(store, Handler(store, Silence())).register(command).id)


@pytest.mark.parametrize("batch", [1, 2, 500])
def test_rows_beyond_the_limit_are_rejected_and_the_others_go_in(small, batch):
    told = small.take("users", USERS, full(5), batch=batch)

    assert (told.created, sorted(told.problems)) == (3, [5, 6])
    assert {problem.code for each in told.problems.values() for problem in each} == {"too_many_users"}
    assert "3" in told.problems[5][0].reason
    assert len(small.records("user")) == 3


def test_a_row_of_somebody_who_is_there_needs_no_room(small):
    small.take("users", USERS, full(3))
    told = small.take("users", USERS, full(3).replace("rep", "manager"))
    assert told.changed == 3
    assert told.all_went_in()


@pytest.mark.parametrize("batch", [2, 500])
def test_a_dry_run_rejects_the_same_rows(small, store, batch):
    with Rehearsal(store) as rehearsal:
        told = small.take("users", USERS, full(5), batch=batch, store=rehearsal)
    assert sorted(told.problems) == [5, 6]
    assert small.records("user") == {}


def test_a_manager_made_on_the_way_needs_room_too(small):
    map = USERS + 'manager = { column = "boss", create_missing = true }\n'
    told = small.take("users", map, "id,role,boss\na,rep,Joe Black\nb,rep,Ann White\n")
    assert (told.created, told.reasons(3)) == (1, [(None, "too_many_users")])
    assert len(small.records("user")) == 2, "nobody is made for a row that doesn't go in"

    told = small.take("users", map, "id,role,boss\nc,rep,\nd,rep,Ann White\n")
    assert (told.created, told.reasons(3)) == (1, [("boss", "unknown_reference")])
    assert "No more than 3" in told.problems[3][0].reason


def test_somebody_who_joins_meanwhile_leaves_less_room(small):
    joins = CreateUser(first_name="Ada", last_name="Byron")
    meddled = Meddled(small.store, lambda: small.ask("user", uuid7(), joins))
    told = small.take("users", USERS, full(3), store=meddled)
    assert (told.created, told.reasons(4)) == (2, [(None, "too_many_users")])


def test_two_imports_at_once_let_no_more_in(small, database):
    files, rejected = [full(3), full(3, start=100)], []

    def take(office):
        told = office.take("users", USERS, files.pop(), batch=1)
        rejected.extend(problem.code for each in told.problems.values() for problem in each)
        told.problems.clear()
        return told

    together(take, [Office(event_store(database), small.tenant) for _ in range(2)])
    assert rejected == ["too_many_users"] * 3
    assert len(small.records("user")) == 3


def test_the_last_admin_is_not_demoted_by_a_file(office):
    office.take("users", USERS, HEADER + "a,admin\nb,admin\n")
    told = office.take("users", USERS, HEADER + "a,rep\nb,rep\n")

    assert (told.changed, told.reasons(3)) == (1, [(None, "last_admin")])
    assert office.record("user", "b").role is Role.ADMIN
    assert office.take("users", USERS, HEADER + "b,rep\n").reasons(2) == [(None, "last_admin")]
    assert office.take("users", USERS, HEADER + "a,admin\nb,rep\n").all_went_in()


def test_an_admin_who_leaves_meanwhile_keeps_the_other_from_being_demoted(office):
    office.take("users", USERS, HEADER + "a,admin\nb,admin\n")
    meddled = Meddled(office.store, lambda: office.ask("user", office.id("user", "a"), DeactivateUser()))
    told = office.take("users", USERS, HEADER + "b,rep\n", store=meddled)
    assert told.reasons(2) == [(None, "last_admin")]


def test_a_tenant_without_an_admin_takes_users(office):
    assert office.take("users", USERS, HEADER + "a,rep\n").all_went_in()
    assert office.take("users", USERS, HEADER + "a,viewer\n").all_went_in()
