"""The rules of users."""

import pytest
from msgspec import UNSET, Struct

from application.catalogue import ENTITIES, EVENT_TYPES
from application.ports import PrincipalChange
from domain.identity.commands import (
    ActivateUser,
    ChangeUserRole,
    CreateUser,
    DeactivateUser,
    EditUser,
    VerifyUserEmail,
    claims,
)
from domain.identity.events import (
    UserActivated,
    UserCreated,
    UserDeactivated,
    UserEdited,
    UserEmailVerified,
    UserPersonal,
    UserRoleChanged,
)
from domain.identity.state import User
from domain.kernel import (
    AlreadyExists,
    Archived,
    Claim,
    Erased,
    HierarchyCycle,
    Invalid,
    NotFound,
    PersonalDataErased,
    PersonalDataSealed,
    Sealed,
)
from domain.neighbours import Itself, UserFacts
from domain.permissions import HELD_BY, Role
from tests.domain.specification import ENTITY_OF, commands_of, facts_of, fold, given, id_of, references_of

ANNA = UserPersonal(first_name="Anna", last_name="Snelling", email="Anna@example.com")
CREATED = UserCreated(personal=ANNA, role=Role.REP, manager=id_of(9), office="Central")
ITSELF, BOSS, CHIEF = id_of(10), id_of(11), id_of(12)


def test_creating_a_user_puts_all_that_says_who_they_are_into_one_field():
    command = CreateUser(
        first_name="Anna",
        last_name="Snelling",
        email="Anna@example.com",
        role=Role.REP,
        manager=id_of(9),
        office="Central",
    )
    given().when(command).then(CREATED)


def test_who_is_given_no_role_can_only_look():
    assert given().when(CreateUser(first_name="A", last_name="B")).then_one().role is Role.VIEWER


def test_a_user_is_created_once():
    given(CREATED).when(CreateUser(first_name="A", last_name="B")).then_refused(AlreadyExists)


@pytest.mark.parametrize("command", [EditUser(), ChangeUserRole(role=Role.REP), DeactivateUser(), ActivateUser()])
def test_a_user_who_is_not_there_is_not_found(command):
    given().when(command).then_refused(NotFound)


def test_an_edit_carries_the_whole_personal_part():
    whole = UserPersonal(first_name="Anna", last_name="King", email="Anna@example.com")
    given(CREATED).when(EditUser(last_name="King", office="East")).then(UserEdited(personal=whole, office="East"))


def test_an_edit_of_the_rest_leaves_the_personal_part_out():
    given(CREATED).when(EditUser(first_name="Anna", office="East")).then(UserEdited(office="East"))
    given(CREATED).when(EditUser(first_name="Anna", office="Central")).then_nothing()


def test_erased_data_stays_erased():
    erased = UserCreated(personal=Erased(), role=Role.REP)
    given(erased).when(EditUser(last_name="King")).then_refused(PersonalDataErased)
    given(erased).when(EditUser(office="East")).then(UserEdited(office="East"))
    sealed = UserCreated(personal=Sealed(b"?"), role=Role.REP)
    given(sealed).when(EditUser(last_name="King")).then_refused(PersonalDataSealed)


@pytest.mark.parametrize(
    ("field", "value"),
    [("email", "nobody"), ("email", ""), ("phone", "call"), ("phone", ""), ("time_zone", "../etc"), ("time_zone", "")],
)
def test_contact_details_and_time_zone_are_checked(field, value):
    given().when(CreateUser(first_name="A", last_name="B", **{field: value})).then_refused(Invalid, f"/{field}")
    given(CREATED).when(EditUser(**{field: value})).then_refused(Invalid, f"/{field}")


def test_control_characters_are_refused():
    given(CREATED).when(EditUser(office="\x00")).then_refused(Invalid, "/office")


def test_a_change_of_role_records_both():
    given(CREATED).when(ChangeUserRole(role=Role.ADMIN)).then(UserRoleChanged(previous=Role.REP, role=Role.ADMIN))
    given(CREATED).when(ChangeUserRole(role=Role.REP)).then_nothing()


def test_deactivating_and_activating():
    given(CREATED).when(DeactivateUser()).then(UserDeactivated())
    given(CREATED).when(DeactivateUser(keep_api_keys=True)).then(UserDeactivated(keeps_api_keys=True))
    given(CREATED, UserDeactivated()).when(DeactivateUser()).then_nothing()
    given(CREATED, UserDeactivated()).when(ActivateUser()).then(UserActivated())
    given(CREATED).when(ActivateUser()).then_nothing()
    given(CREATED, UserDeactivated(), UserActivated()).when(EditUser(office="East")).then(UserEdited(office="East"))


@pytest.mark.parametrize("command", [EditUser(office="East"), ChangeUserRole(role=Role.ADMIN)])
def test_a_deactivated_user_takes_no_change(command):
    given(CREATED, UserDeactivated()).when(command).then_refused(Archived)


@pytest.mark.parametrize(
    "neighbours",
    [
        {BOSS: Itself()},
        {BOSS: UserFacts(parent=ITSELF), ITSELF: Itself()},
        {BOSS: UserFacts(parent=CHIEF), CHIEF: UserFacts(parent=ITSELF), ITSELF: Itself()},
    ],
    ids=["themselves", "their report", "a report's report"],
)
def test_nobody_manages_themselves(neighbours):
    given(CREATED).when(EditUser(manager=BOSS), neighbours).then_refused(HierarchyCycle, "/manager")
    command = CreateUser(first_name="A", last_name="B", manager=BOSS)
    given().when(command, neighbours).then_refused(HierarchyCycle, "/manager")


def test_a_manager_further_up_is_fine():
    neighbours = {ITSELF: Itself(), BOSS: UserFacts(parent=CHIEF), CHIEF: UserFacts()}
    given(CREATED).when(EditUser(manager=BOSS), neighbours).then(UserEdited(manager=BOSS))


def test_a_new_manager_is_guarded_with_all_that_stand_above_them():
    entity = ENTITY_OF[EditUser]
    (reference,) = entity.references(EditUser(manager=BOSS), fold(entity, CREATED))
    assert (reference.field, reference.entity, reference.id) == ("/manager", "user", BOSS)
    assert reference.guarded
    assert reference.lineage
    assert references_of(EditUser(manager=id_of(9)), CREATED) == []
    assert references_of(EditUser(manager=None), CREATED) == []
    assert references_of(EditUser(office="East"), CREATED) == []
    assert references_of(ChangeUserRole(role=Role.ADMIN), CREATED) == []
    assert references_of(CreateUser(first_name="A", last_name="B", manager=BOSS)) == [("/manager", "user", BOSS)]


def test_an_address_is_claimed_whatever_its_case():
    state = fold(ENTITIES["user"], CREATED, UserDeactivated())
    assert claims(state) == {Claim("user.email", "anna@example.com")}
    assert claims(User(personal=ANNA, role=Role.REP, external_id="u1")) == {
        Claim("user.email", "anna@example.com"),
        Claim("user.external_id", "u1"),
    }


@pytest.mark.parametrize("personal", [Erased(), Sealed(b"?"), UserPersonal(first_name="A", last_name="B")])
def test_without_a_readable_address_none_is_claimed(personal):
    assert claims(User(personal=personal, role=Role.REP)) == frozenset()


def test_authorisation_reads_role_manager_office_and_whether_the_user_is_active():
    state = fold(ENTITIES["user"], CREATED, UserRoleChanged(previous=Role.REP, role=Role.ADMIN), UserDeactivated())
    principal = ENTITIES["user"].principal
    assert principal is not None
    assert principal(ITSELF, state) == PrincipalChange(
        user=ITSELF, role="admin", manager=id_of(9), office="Central", active=False, ends_keys=True
    )


@pytest.mark.parametrize(
    ("events", "ends"),
    [
        ([], False),
        ([UserDeactivated()], True),
        ([UserDeactivated(keeps_api_keys=True)], False),
        ([UserDeactivated(keeps_api_keys=True), UserActivated()], False),
        ([UserDeactivated(keeps_api_keys=True), UserActivated(), UserDeactivated()], True),
    ],
)
def test_a_deactivated_user_has_no_keys_unless_they_are_kept(events, ends):
    principal = ENTITIES["user"].principal
    assert principal is not None
    assert principal(ITSELF, fold(ENTITIES["user"], CREATED, *events)).ends_keys == ends


def test_a_deactivated_user_is_given_no_work():
    assert not facts_of("user", CREATED).archived
    assert facts_of("user", CREATED, UserDeactivated()).archived
    assert fold(ENTITIES["user"], CREATED, UserDeactivated()).archived


def test_secrets_are_no_part_of_users():
    events = [each for each in EVENT_TYPES.values() if each.TYPE.startswith("user.")]
    structs: list[type[Struct]] = [*events, *commands_of(ENTITIES["user"]), UserPersonal]
    for each in structs:
        assert not [name for name in each.__struct_fields__ if "password" in name or "token" in name]


def test_no_role_of_a_tenant_manages_tenants():
    for held in HELD_BY.values():
        assert not held & {"tenant:create", "tenant:manage", "tenant:delete"}


def test_an_address_is_verified_once_and_only_the_users_own():
    verify = VerifyUserEmail(email="anna@EXAMPLE.com")
    given(CREATED).when(verify).then(UserEmailVerified())
    given(CREATED, UserEmailVerified()).when(verify).then_nothing()
    given(CREATED).when(VerifyUserEmail(email="other@example.com")).then_refused(Invalid, "/email")
    given(UserCreated(personal=Erased(), role=Role.REP)).when(verify).then_refused(PersonalDataErased)
    given(CREATED, UserDeactivated()).when(verify).then_refused(Archived)
    given().when(verify).then_refused(NotFound)
    assert fold(ENTITIES["user"], CREATED, UserEmailVerified()).verified


def test_another_address_is_not_verified_and_the_same_in_other_letters_is():
    verified = (CREATED, UserEmailVerified())
    moved = given(*verified).when(EditUser(email="new@example.com")).then_one()
    assert moved.verified is False
    assert not fold(ENTITIES["user"], *verified, moved).verified
    assert given(*verified).when(EditUser(email=None)).then_one().verified is False
    for edit in (EditUser(email="ANNA@example.com"), EditUser(office="West"), EditUser(last_name="Smith")):
        same = given(*verified).when(edit).then_one()
        assert same.verified is UNSET
        assert fold(ENTITIES["user"], *verified, same).verified
    assert given(CREATED).when(EditUser(email="new@example.com")).then_one().verified is UNSET
