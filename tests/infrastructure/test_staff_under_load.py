"""The rules of all users of a tenant, exact while several change users at once."""

import pytest
from uuid_utils.compat import uuid7

from application.handling import Handler
from application.ports import LastAdminConflict, PrincipalChange, UserLimitConflict
from application.tenancy import Tenancy
from domain.accounts.commands import CreateAccount
from domain.identity.commands import ActivateUser, ChangeUserRole, CreateUser, DeactivateUser
from domain.identity.staff import LastAdmin, TooManyUsers
from domain.permissions import Role
from domain.tenants.commands import RegisterTenant
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


def registered(store, limit: int | None):
    """A tenant with so many users at most."""
    command = RegisterTenant(name="Acme", subdomain=f"acme-{uuid7().hex}", max_users=limit)
    return Tenancy(store, Handler(store, Silence())).register(command).id


def active(database, tenant) -> int:
    rows = database.read(tenant, "SELECT user_id FROM principals WHERE tenant_id = %(tenant)s AND active")
    return len(rows)


def test_as_many_users_join_as_may_however_many_try_at_once(urls, store, database):
    for limit in (4, 5):
        tenant = registered(store, limit)
        (leaver,) = hired(store, tenant, Role.REP)
        Handler(store, Silence()).handle(operator(tenant), "user", leaver, DeactivateUser())
        joining = CreateUser(first_name="Ada", last_name="Byron")
        racers = [[Asked("user", uuid7(), joining) for _ in range(4)] for _ in range(2)]
        racers[1][0] = Asked("user", leaver, ActivateUser())

        said = race(urls.app, tenant, *racers)

        assert said == ["done"] * limit + ["too_many_users"] * (8 - limit)
        assert active(database, tenant) == limit


def test_who_is_one_too_many_is_refused_and_nothing_of_it_is_stored(store):
    tenant = registered(store, 2)
    handler, sender = Handler(store, Silence()), operator(tenant)
    _, rep = hired(store, tenant, Role.ADMIN, Role.REP)
    before = store.head(tenant)

    with pytest.raises(TooManyUsers) as refused:
        hired(store, tenant, Role.REP)

    assert refused.value.details == {"limit": 2}
    assert store.head(tenant) == before
    handler.handle(sender, "user", rep, ChangeUserRole(role=Role.MANAGER))
    handler.handle(sender, "user", rep, DeactivateUser())
    hired(store, tenant, Role.REP)
    with pytest.raises(TooManyUsers):
        handler.handle(sender, "user", rep, ActivateUser())


def test_a_limit_of_none_lets_anybody_in(store, database):
    tenant = registered(store, None)
    hired(store, tenant, *[Role.REP] * 7)
    assert active(database, tenant) == 7


def test_an_append_says_how_many_users_may_be_active(store, tenant):
    joining = [PrincipalChange(user=uuid7(), role="rep", manager=None, office=None, active=True) for _ in range(3)]
    with pytest.raises(UserLimitConflict) as refused:
        store.append(tenant, append(change(a_stream()), principals=tuple(joining), most_users=2))
    assert refused.value.limit == 2
    store.append(tenant, append(change(a_stream()), principals=tuple(joining), most_users=3))


def test_only_what_makes_a_user_active_asks_for_the_limit(store, tenant):
    class Counting:
        """A store whose look-ups of the tenant are counted."""

        asked = 0

        def __getattr__(self, name):
            return getattr(store, name)

        def stream(self, tenant, stream, *, until=None, sealed=False):
            self.asked += stream.startswith("tenant-")
            return store.stream(tenant, stream, until=until, sealed=sealed)

    counting, user = Counting(), uuid7()
    handler, sender = Handler(counting, Silence()), operator(tenant)
    handler.handle(sender, "user", user, CreateUser(first_name="Ada", last_name="Byron"))
    assert counting.asked == 1
    handler.handle(sender, "user", user, ChangeUserRole(role=Role.REP))
    handler.handle(sender, "user", user, DeactivateUser())
    handler.handle(sender, "account", uuid7(), CreateAccount(name="Acme"))
    assert counting.asked == 1
    handler.handle(sender, "user", user, ActivateUser())
    assert counting.asked == 2
