"""The rules of all users of a tenant, exact while several change users at once."""

import pytest
from uuid_utils.compat import uuid7

from application.handling import Handler
from application.ports import LastAdminConflict, PrincipalChange
from domain.identity.commands import ChangeUserRole, CreateUser, DeactivateUser
from domain.identity.staff import LastAdmin
from domain.permissions import Role
from tests.infrastructure.appends import a_stream, append, change
from tests.infrastructure.racing import Asked, operator, race
from tests.infrastructure.silence import Silence


def hired(store, tenant, *roles: Role):
    """New users in these roles."""
    users = [uuid7() for _ in roles]
    for user, role in zip(users, roles, strict=True):
        command = CreateUser(first_name="Ada", last_name="Byron", role=role)
        Handler(store, Silence()).handle(operator(tenant), "user", user, command)
    return users


def admins(database, tenant):
    rows = database.read(
        tenant, "SELECT user_id FROM principals WHERE tenant_id = %(tenant)s AND role = 'admin' AND active"
    )
    return [row["user_id"] for row in rows]


@pytest.mark.parametrize("command", [ChangeUserRole(role=Role.REP), DeactivateUser()], ids=["demoted", "deactivated"])
def test_two_admins_who_remove_each_other_at_once_leave_one(urls, store, database, command):
    for _ in range(3):
        tenant = uuid7()
        users = hired(store, tenant, Role.ADMIN, Role.ADMIN)

        assert race(urls.app, tenant, *[[Asked("user", user, command)] for user in users]) == ["done", "last_admin"]

        assert len(admins(database, tenant)) == 1


def test_the_last_admin_is_refused_and_nothing_of_it_is_stored(store, tenant):
    handler, sender = Handler(store, Silence()), operator(tenant)
    admin, _ = hired(store, tenant, Role.ADMIN, Role.REP)
    before = store.head(tenant)

    for command in (ChangeUserRole(role=Role.REP), DeactivateUser()):
        with pytest.raises(LastAdmin):
            handler.handle(sender, "user", admin, command)

    assert store.head(tenant) == before
    assert handler.present(tenant, "user", admin).state.active
    (other,) = hired(store, tenant, Role.ADMIN)
    handler.handle(sender, "user", admin, DeactivateUser())
    with pytest.raises(LastAdmin):
        handler.handle(sender, "user", other, DeactivateUser())


def test_a_tenant_that_has_no_admin_goes_on_without(store, tenant):
    (rep,) = hired(store, tenant, Role.REP)
    handler = Handler(store, Silence())
    handler.handle(operator(tenant), "user", rep, ChangeUserRole(role=Role.MANAGER))
    handler.handle(operator(tenant), "user", rep, DeactivateUser())


def test_one_append_may_hand_the_last_admins_role_on(store, tenant):
    (admin,) = hired(store, tenant, Role.ADMIN)
    demoted, appointed = (
        PrincipalChange(user=user, role=role, manager=None, office=None, active=True)
        for user, role in ((admin, "rep"), (uuid7(), "admin"))
    )

    with pytest.raises(LastAdminConflict):
        store.append(tenant, append(change(a_stream()), principals=(demoted,)))
    store.append(tenant, append(change(a_stream()), principals=(demoted, appointed)))
