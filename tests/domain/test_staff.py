"""The rules of all users of a tenant together."""

import pytest

from domain.identity.staff import LastAdmin, TooManyUsers, check_staff
from domain.permissions import Role
from tests.domain.specification import id_of

ANNA, BOB, CLEO = id_of(1), id_of(2), id_of(3)


@pytest.mark.parametrize("role", [None, Role.MANAGER])
def test_the_last_active_admin_stays_one(role):
    with pytest.raises(LastAdmin):
        check_staff({ANNA: Role.ADMIN, BOB: Role.MANAGER}, ANNA, role, None)


@pytest.mark.parametrize("role", [None, Role.MANAGER])
def test_one_of_two_admins_may_go(role):
    check_staff({ANNA: Role.ADMIN, BOB: Role.ADMIN}, ANNA, role, None)


def test_the_last_admin_may_stay_what_they_are():
    check_staff({ANNA: Role.ADMIN}, ANNA, Role.ADMIN, None)


def test_a_tenant_without_an_admin_may_go_on_without():
    check_staff({}, ANNA, Role.REP, None)
    check_staff({ANNA: Role.REP, BOB: Role.REP}, ANNA, None, None)
    check_staff({ANNA: Role.REP}, CLEO, Role.ADMIN, None)


def test_nobody_more_is_let_in_than_may_be():
    two = {ANNA: Role.ADMIN, BOB: Role.REP}
    check_staff(two, CLEO, Role.REP, 3)
    check_staff(two, CLEO, Role.REP, None)
    with pytest.raises(TooManyUsers) as refused:
        check_staff(two, CLEO, Role.REP, 2)
    assert refused.value.details == {"limit": 2}
    assert "2" in refused.value.message


def test_a_lowered_limit_turns_nobody_out():
    two = {ANNA: Role.ADMIN, BOB: Role.REP}
    check_staff(two, BOB, Role.MANAGER, 1)
    check_staff(two, BOB, None, 1)
    with pytest.raises(TooManyUsers):
        check_staff(two, CLEO, Role.REP, 1)
