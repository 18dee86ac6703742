"""The rules of all users of a tenant together."""

import pytest

from domain.identity.staff import LastAdmin, check_staff
from domain.permissions import Role
from tests.domain.specification import id_of

ANNA, BOB, CLEO = id_of(1), id_of(2), id_of(3)


@pytest.mark.parametrize("role", [None, Role.MANAGER])
def test_the_last_active_admin_stays_one(role):
    with pytest.raises(LastAdmin):
        check_staff({ANNA: Role.ADMIN, BOB: Role.MANAGER}, ANNA, role)


@pytest.mark.parametrize("role", [None, Role.MANAGER])
def test_one_of_two_admins_may_go(role):
    check_staff({ANNA: Role.ADMIN, BOB: Role.ADMIN}, ANNA, role)


def test_the_last_admin_may_stay_what_they_are():
    check_staff({ANNA: Role.ADMIN}, ANNA, Role.ADMIN)


def test_a_tenant_without_an_admin_may_go_on_without():
    check_staff({}, ANNA, Role.REP)
    check_staff({ANNA: Role.REP, BOB: Role.REP}, ANNA, None)
    check_staff({ANNA: Role.REP}, CLEO, Role.ADMIN)
