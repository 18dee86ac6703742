"""The rules of accounts."""

from decimal import Decimal

import pytest
from msgspec import structs

from domain.accounts.commands import ArchiveAccount, AssignAccount, CreateAccount, EditAccount, RestoreAccount, claims
from domain.accounts.events import (
    AccountArchived,
    AccountAssigned,
    AccountCreated,
    AccountEdited,
    AccountRestored,
    Size,
)
from domain.accounts.state import Account
from domain.kernel import AlreadyExists, Archived, Claim, HierarchyCycle, Invalid, NotFound
from domain.neighbours import AccountFacts, Itself
from domain.values import Address, AddressDraft
from tests.domain.specification import ENTITY_OF, fold, given, id_of, references_of

ACME = AccountCreated(name="Acme", owner=id_of(1))
ITSELF, MOTHER, GRANDMOTHER = id_of(10), id_of(11), id_of(12)


def test_creating_an_account_records_what_was_said():
    command = CreateAccount(name="Acme", industry="retail", address=AddressDraft(country="Kenya"))
    given().when(command).then(AccountCreated(name="Acme", industry="retail", address=Address(country="Kenya")))


def test_an_account_is_created_once():
    given(ACME).when(CreateAccount(name="Acme")).then_refused(AlreadyExists)


@pytest.mark.parametrize("command", [EditAccount(), AssignAccount(owner=id_of(1)), ArchiveAccount(), RestoreAccount()])
def test_an_account_that_is_not_there_is_not_found(command):
    given().when(command).then_refused(NotFound)


def test_editing_records_only_what_changes():
    given(ACME).when(EditAccount(name="Acme", industry="retail")).then(AccountEdited(industry="retail"))


def test_editing_nothing_records_nothing():
    given(ACME).when(EditAccount(name="Acme")).then_nothing()


def test_none_empties_a_field():
    given(AccountCreated(name="Acme", industry="retail")).when(EditAccount(industry=None)).then(
        AccountEdited(industry=None)
    )


@pytest.mark.parametrize("command", [EditAccount(name="B"), AssignAccount(owner=id_of(2))])
def test_an_archived_account_takes_no_change(command):
    given(ACME, AccountArchived()).when(command).then_refused(Archived)


def test_archiving_and_restoring():
    given(ACME).when(ArchiveAccount()).then(AccountArchived())
    given(ACME, AccountArchived()).when(ArchiveAccount()).then_nothing()
    given(ACME, AccountArchived()).when(RestoreAccount()).then(AccountRestored())
    given(ACME).when(RestoreAccount()).then_nothing()
    given(ACME, AccountArchived(), AccountRestored()).when(EditAccount(name="B")).then(AccountEdited(name="B"))


def test_assigning_records_both_owners():
    given(ACME).when(AssignAccount(owner=id_of(2))).then(AccountAssigned(previous=id_of(1), owner=id_of(2)))
    given(ACME).when(AssignAccount(owner=id_of(1))).then_nothing()


@pytest.mark.parametrize(
    ("employees", "size"),
    [
        (1, "1-10"),
        (10, "1-10"),
        (11, "11-50"),
        (50, "11-50"),
        (51, "51-200"),
        (200, "51-200"),
        (201, "201-500"),
        (500, "201-500"),
        (501, "500+"),
    ],
)
def test_the_size_follows_from_the_number_of_employees(employees, size):
    given().when(CreateAccount(name="A", employees=employees)).then(
        AccountCreated(name="A", employees=employees, size=Size(size))
    )


def test_more_employees_move_the_size():
    grown = AccountCreated(name="A", employees=10, size=Size.UP_TO_10)
    given(grown).when(EditAccount(employees=11)).then(AccountEdited(employees=11, size=Size.UP_TO_50))


def test_a_size_without_a_number_of_employees_stands_for_itself():
    given().when(CreateAccount(name="A", size=Size.UP_TO_50)).then(AccountCreated(name="A", size=Size.UP_TO_50))


def test_a_size_that_contradicts_the_number_of_employees_is_refused():
    given().when(CreateAccount(name="A", employees=10, size=Size.ABOVE_500)).then_refused(Invalid, "/size")
    known = AccountCreated(name="A", employees=10, size=Size.UP_TO_10)
    given(known).when(EditAccount(size=Size.ABOVE_500)).then_refused(Invalid, "/size")


def test_a_revenue_needs_a_currency():
    given().when(CreateAccount(name="A", annual_revenue=Decimal(5))).then_refused(Invalid, "/currency")
    given().when(CreateAccount(name="A", currency="XYZ")).then_refused(Invalid, "/currency")
    rich = AccountCreated(name="A", annual_revenue=Decimal(5), currency="USD")
    given(rich).when(EditAccount(currency=None)).then_refused(Invalid, "/currency")
    given(ACME).when(EditAccount(annual_revenue=Decimal(5), currency="EUR")).then(
        AccountEdited(annual_revenue=Decimal(5), currency="EUR")
    )


@pytest.mark.parametrize("amount", ["-1", "NaN", "sNaN", "Infinity", "1E+15", "1E+999999", "0E+999999", "0.00001"])
def test_a_revenue_is_an_amount(amount):
    command = CreateAccount(name="A", annual_revenue=Decimal(amount), currency="USD")
    given().when(command).then_refused(Invalid, "/annual_revenue")
    edit = EditAccount(annual_revenue=Decimal(amount), currency="USD")
    given(ACME).when(edit).then_refused(Invalid, "/annual_revenue")


@pytest.mark.parametrize(
    ("field", "value"), [("email", "no address"), ("phone", "call me"), ("website", "javascript:alert(1)")]
)
def test_contact_details_are_checked(field, value):
    given().when(CreateAccount(name="A", **{field: value})).then_refused(Invalid, f"/{field}")
    given(ACME).when(structs.replace(EditAccount(), **{field: value})).then_refused(Invalid, f"/{field}")
    given(ACME).when(structs.replace(EditAccount(), **{field: ""})).then_refused(Invalid, f"/{field}")


def test_control_characters_are_refused():
    given().when(CreateAccount(name="A\x00")).then_refused(Invalid, "/name")
    given(ACME).when(EditAccount(address=AddressDraft(city="\ud800"))).then_refused(Invalid, "/address/city")


def test_parts_of_an_address_that_an_edit_leaves_out_stay():
    there = AccountCreated(name="A", address=Address(street="1 Main St", city="Oslo"))
    given(there).when(EditAccount(address=AddressDraft(city="Bergen"))).then(
        AccountEdited(address=Address(street="1 Main St", city="Bergen"))
    )
    given(there).when(EditAccount(address=AddressDraft(street=None, city=None))).then(AccountEdited(address=None))
    given(there).when(EditAccount(address=None)).then(AccountEdited(address=None))


def test_an_account_can_belong_to_another():
    neighbours = {ITSELF: Itself(), MOTHER: AccountFacts(parent=GRANDMOTHER), GRANDMOTHER: AccountFacts()}
    given(ACME).when(EditAccount(parent=MOTHER), neighbours).then(AccountEdited(parent=MOTHER))


@pytest.mark.parametrize(
    "neighbours",
    [
        {MOTHER: Itself()},
        {MOTHER: AccountFacts(parent=ITSELF), ITSELF: Itself()},
        {MOTHER: AccountFacts(parent=GRANDMOTHER), GRANDMOTHER: AccountFacts(parent=ITSELF), ITSELF: Itself()},
    ],
    ids=["itself", "its child", "its grandchild"],
)
def test_an_account_never_stands_above_itself(neighbours):
    given(ACME).when(EditAccount(parent=MOTHER), neighbours).then_refused(HierarchyCycle, "/parent")
    given().when(CreateAccount(name="A", parent=MOTHER), neighbours).then_refused(HierarchyCycle, "/parent")


def test_a_hierarchy_that_is_broken_already_still_lets_the_decision_end():
    neighbours = {MOTHER: AccountFacts(parent=GRANDMOTHER), GRANDMOTHER: AccountFacts(parent=MOTHER)}
    given(ACME).when(EditAccount(parent=MOTHER), neighbours).then(AccountEdited(parent=MOTHER))


def test_a_new_parent_is_guarded_with_all_that_stand_above_it():
    command = EditAccount(parent=MOTHER)
    (reference,) = ENTITY_OF[EditAccount].references(command, fold(ENTITY_OF[EditAccount], ACME))
    assert (reference.field, reference.entity, reference.id) == ("/parent", "account", MOTHER)
    assert reference.guarded
    assert reference.lineage


def test_only_what_is_newly_named_must_exist():
    child = AccountCreated(name="A", owner=id_of(1), parent=MOTHER)
    assert references_of(EditAccount(parent=MOTHER), child) == []
    assert references_of(EditAccount(name="B"), child) == []
    assert references_of(EditAccount(parent=None), child) == []
    assert references_of(AssignAccount(owner=id_of(1)), child) == []
    assert references_of(AssignAccount(owner=id_of(2)), child) == [("/owner", "user", id_of(2))]
    assert references_of(ArchiveAccount(), child) == []
    assert references_of(CreateAccount(name="A", owner=id_of(1), parent=MOTHER)) == [
        ("/owner", "user", id_of(1)),
        ("/parent", "account", MOTHER),
    ]


def test_an_external_id_is_claimed():
    assert claims(Account(name="A", external_id="x1")) == {Claim("account.external_id", "x1")}
    assert claims(Account(name="A", external_id="x1", archived=True)) == {Claim("account.external_id", "x1")}
    assert claims(Account(name="A")) == frozenset()
