"""Whose records a sender reaches, as the handler asks it."""

from uuid import UUID, uuid4

import pytest
from uuid_utils.compat import uuid7

from application.handling import Forbidden, Handler, Sender
from application.sights import Sights
from domain.accounts.commands import AssignAccount, CreateAccount, EditAccount
from domain.identity.commands import CreateUser
from domain.kernel import NotFound
from domain.permissions import EVERYTHING, HELD_BY, NOTHING, RIGHTS, Role, Scope, Sight, ViewersSee
from tests.infrastructure.silence import Silence

ME, BELOW, BESIDE = uuid7(), uuid7(), uuid7()


def sights(role: Role, *, viewers_see: ViewersSee = ViewersSee.ALL, but: frozenset[str] = frozenset(), asked=None):
    def team() -> frozenset[UUID]:
        if asked is not None:
            asked.append(role)
        return frozenset({BELOW})

    return Sights(user=ME, role=role, permissions=HELD_BY[role] - but, viewers_see=viewers_see, team=team)


def test_each_scope_covers_its_owners():
    covered = {
        Role.ADMIN: {ME, BELOW, BESIDE, None},
        Role.MANAGER: {ME, BELOW, None},
        Role.REP: {ME},
        Role.VIEWER: {ME, BELOW, BESIDE, None},
    }
    for role, owners in covered.items():
        assert {each for each in (ME, BELOW, BESIDE, None) if sights(role).reading.covers(each)} == owners
    assert sights(Role.VIEWER, viewers_see=ViewersSee.OWN).reading == Sight(owners=frozenset({ME}))


def test_a_permission_that_is_not_held_reaches_nothing():
    assert sights(Role.VIEWER).of("deal:update") == NOTHING
    assert sights(Role.ADMIN, but=frozenset({"deal:update"})).of("deal:update") == NOTHING
    assert sights(Role.ADMIN).of("deal:update") == EVERYTHING


def test_a_team_is_read_once_and_for_managers_alone():
    asked: list[Role] = []
    for role in Role:
        told = sights(role, asked=asked)
        assert told.reading == told.of("deal:read")
    assert asked == [Role.MANAGER]


def test_what_one_sees_of_the_past_follows_what_one_may_read():
    assert sights(Role.ADMIN).kinds is None
    assert sights(Role.REP).kinds == {"account", "contact", "deal", "product", "pipeline", "file"}
    assert sights(Role.REP, but=frozenset({"deal:read"})).kinds == {"account", "contact", "product", "pipeline", "file"}


@pytest.fixture
def office(store, tenant):
    """A handler, and an account of mine."""
    handler = Handler(store, Silence())
    operator = Sender(tenant=tenant, actor="cli", permissions=HELD_BY[Role.ADMIN], correlation=uuid4())
    for id in (ME, BELOW, BESIDE):
        handler.handle(operator, "user", id, CreateUser(first_name="A", last_name="B"))
    account = uuid7()
    handler.handle(operator, "account", account, CreateAccount(name="A", owner=ME))
    return handler, operator, account


def mine(operator: Sender, sights: Sights | None) -> Sender:
    return Sender(
        tenant=operator.tenant,
        actor=f"user-{ME}",
        permissions=operator.permissions,
        correlation=uuid4(),
        sights=sights,
    )


def test_a_user_of_whom_nobody_said_what_they_see_reaches_nothing(office):
    handler, operator, account = office
    with pytest.raises(NotFound):
        handler.handle(mine(operator, None), "account", account, EditAccount(name="B"))
    assert handler.handle(operator, "account", account, EditAccount(name="B")).version == 2


def test_what_one_sees_and_may_not_change_is_forbidden(office):
    """No role of the table is so, but a key with fewer permissions can be, and a later role."""
    handler, operator, account = office
    reader = mine(operator, sights(Role.ADMIN, but=frozenset({"account:update"})))
    with pytest.raises(Forbidden):
        handler.handle(reader, "account", account, EditAccount(name="B"))


class Overtaken:
    """The store, in which somebody else's command comes between a decision and its being stored, once."""

    def __init__(self, store, other) -> None:
        self._store = store
        self._others = [other]

    def append(self, *arguments):
        while self._others:
            self._others.pop()()
        return self._store.append(*arguments)

    def __getattr__(self, name):
        return getattr(self._store, name)


def test_a_command_that_lost_a_race_is_judged_by_the_new_owner(office, store):
    handler, operator, account = office
    slow = Handler(
        Overtaken(store, lambda: handler.handle(operator, "account", account, AssignAccount(owner=BESIDE))), Silence()
    )
    with pytest.raises(NotFound):
        slow.handle(mine(operator, sights(Role.REP)), "account", account, EditAccount(name="Mine"))
    assert handler.present(operator.tenant, "account", account).state.name == "A"


def test_the_table_gives_no_role_more_to_change_than_to_see():
    order = [Scope.OWN, Scope.SET, Scope.TEAM, Scope.ALL]
    for permission, held in RIGHTS.items():
        resource, _, action = permission.partition(":")
        if action in ("update", "delete", "assign"):
            for role, scope in held.items():
                assert order.index(scope) <= order.index(RIGHTS[f"{resource}:read"][role])
