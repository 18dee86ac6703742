"""The rules of contacts."""

import pytest

from domain.contacts.commands import (
    ArchiveContact,
    AssignContact,
    CreateContact,
    EditContact,
    EmailDraft,
    EmailOrPhoneRequired,
    PhoneDraft,
    RestoreContact,
    SocialProfileDraft,
    claims,
)
from domain.contacts.events import (
    ContactArchived,
    ContactAssigned,
    ContactCreated,
    ContactEdited,
    ContactPersonal,
    ContactRestored,
    EmailAddress,
    LeadStatus,
    LifecycleStage,
    PhoneNumber,
    SocialProfile,
)
from domain.contacts.state import Contact
from domain.kernel import (
    AlreadyExists,
    Archived,
    Claim,
    Erased,
    Invalid,
    NotFound,
    PersonalDataErased,
    PersonalDataSealed,
    Sealed,
)
from domain.values import Address, AddressDraft
from tests.domain.specification import given, id_of, references_of

ADA = ContactPersonal(
    first_name="Ada", last_name="Lovelace", emails=(EmailAddress(address="ada@example.com", primary=True),)
)
CREATED = ContactCreated(personal=ADA, owner=id_of(1))
ERASED = ContactCreated(personal=Erased(), owner=id_of(1))
SEALED = ContactCreated(personal=Sealed(b"?"), owner=id_of(1))


def create(**fields):
    return CreateContact(first_name="Ada", last_name="Lovelace", **fields)


def emails(*addresses, primary=None):
    return tuple(EmailDraft(address=each, primary=each == primary) for each in addresses)


def test_creating_a_contact_puts_all_that_says_who_they_are_into_one_field():
    command = create(
        emails=emails("ada@example.com"),
        phones=(PhoneDraft(number="+44 20 7946 0018", kind="mobile"),),
        title="Countess",
        address=AddressDraft(city="London"),
        social_profiles=(SocialProfileDraft(network="linkedin", url="https://linkedin.com/in/ada"),),
        department="Engines",
        do_not_call=True,
    )
    personal = ContactPersonal(
        first_name="Ada",
        last_name="Lovelace",
        emails=(EmailAddress(address="ada@example.com", primary=True),),
        phones=(PhoneNumber(number="+44 20 7946 0018", kind="mobile", primary=True),),
        title="Countess",
        address=Address(city="London"),
        social_profiles=(SocialProfile(network="linkedin", url="https://linkedin.com/in/ada"),),
    )
    given().when(command).then(ContactCreated(personal=personal, department="Engines", do_not_call=True))


def test_a_contact_starts_as_a_new_lead():
    event = given().when(create(emails=emails("a@b.c"))).then_one()
    assert (event.status, event.lifecycle) == (LeadStatus.NEW, LifecycleStage.LEAD)


def test_a_contact_is_created_once():
    given(CREATED).when(create(emails=emails("a@b.c"))).then_refused(AlreadyExists)


@pytest.mark.parametrize("command", [EditContact(), AssignContact(owner=id_of(1)), ArchiveContact(), RestoreContact()])
def test_a_contact_that_is_not_there_is_not_found(command):
    given().when(command).then_refused(NotFound)


def test_a_contact_needs_an_email_or_a_phone():
    given().when(create()).then_refused(EmailOrPhoneRequired, "/emails")
    given(CREATED).when(EditContact(emails=())).then_refused(EmailOrPhoneRequired, "/emails")
    assert given().when(create(phones=(PhoneDraft(number="123 456"),))).then_one()
    assert given(CREATED).when(EditContact(emails=(), phones=(PhoneDraft(number="123 456"),))).then_one()


def test_the_first_address_is_the_primary_one_unless_another_is_marked():
    first = given().when(create(emails=emails("a@b.c", "d@e.f"))).then_one()
    assert [each.primary for each in first.personal.emails] == [True, False]
    second = given().when(create(emails=emails("a@b.c", "d@e.f", primary="d@e.f"))).then_one()
    assert [each.primary for each in second.personal.emails] == [False, True]


def test_two_primary_ones_are_refused():
    drafts = (EmailDraft(address="a@b.c", primary=True), EmailDraft(address="d@e.f", primary=True))
    given().when(create(emails=drafts)).then_refused(Invalid, "/emails")
    phones = (PhoneDraft(number="123", primary=True), PhoneDraft(number="456", primary=True))
    given().when(create(phones=phones)).then_refused(Invalid, "/phones")


def test_an_address_or_number_is_named_once():
    given().when(create(emails=emails("a@b.c", "A@B.C"))).then_refused(Invalid, "/emails")
    phones = (PhoneDraft(number="123"), PhoneDraft(number="123"))
    given().when(create(phones=phones)).then_refused(Invalid, "/phones")


def test_addresses_numbers_and_profiles_are_checked_one_by_one():
    given().when(create(emails=emails("a@b.c", "nobody"))).then_refused(Invalid, "/emails/1/address")
    given().when(create(phones=(PhoneDraft(number="call"),))).then_refused(Invalid, "/phones/0/number")
    profile = SocialProfileDraft(network="x", url="javascript:alert(1)")
    command = create(emails=emails("a@b.c"), social_profiles=(profile,))
    given().when(command).then_refused(Invalid, "/social_profiles/0/url")


def test_a_refusal_does_not_repeat_the_personal_data():
    outcome = given().when(create(emails=emails("ada-at-example")))
    assert "ada" not in outcome.message


def test_control_characters_are_refused():
    command = create(emails=(EmailDraft(address="a@b.c", kind="\x07"),))
    given().when(command).then_refused(Invalid, "/emails/0/kind")


def test_an_edit_carries_the_whole_personal_part():
    whole = ContactPersonal(first_name="Ada", last_name="King", emails=ADA.emails)
    given(CREATED).when(EditContact(last_name="King", department="Engines")).then(
        ContactEdited(personal=whole, department="Engines")
    )


def test_an_edit_of_the_rest_leaves_the_personal_part_out():
    given(CREATED).when(EditContact(first_name="Ada", status=LeadStatus.QUALIFIED)).then(
        ContactEdited(status=LeadStatus.QUALIFIED)
    )


def test_entering_the_same_addresses_again_records_nothing():
    given(CREATED).when(EditContact(emails=emails("ada@example.com"))).then_nothing()


def test_parts_of_an_address_that_an_edit_leaves_out_stay():
    first = EditContact(address=AddressDraft(street="1 St James's Sq", city="London"))
    edited = given(CREATED).when(first).then_one()
    again = given(CREATED, edited).when(EditContact(address=AddressDraft(city="Bath"))).then_one()
    assert again.personal.address == Address(street="1 St James's Sq", city="Bath")
    gone = given(CREATED, edited).when(EditContact(address=None)).then_one()
    assert gone.personal.address is None


def test_erased_data_stays_erased():
    given(ERASED).when(EditContact(last_name="King")).then_refused(PersonalDataErased)
    given(SEALED).when(EditContact(last_name="King")).then_refused(PersonalDataSealed)


def test_the_rest_of_an_erased_contact_can_be_edited():
    for created in (ERASED, SEALED):
        given(created).when(EditContact(department="Engines")).then(ContactEdited(department="Engines"))
        given(created).when(ArchiveContact()).then(ContactArchived())


@pytest.mark.parametrize("command", [EditContact(title="Dr"), AssignContact(owner=id_of(2))])
def test_an_archived_contact_takes_no_change(command):
    given(CREATED, ContactArchived()).when(command).then_refused(Archived)


def test_archiving_and_restoring():
    given(CREATED).when(ArchiveContact()).then(ContactArchived())
    given(CREATED, ContactArchived()).when(ArchiveContact()).then_nothing()
    given(CREATED, ContactArchived()).when(RestoreContact()).then(ContactRestored())
    given(CREATED).when(RestoreContact()).then_nothing()
    again = given(CREATED, ContactArchived(), ContactRestored())
    again.when(EditContact(department="Engines")).then(ContactEdited(department="Engines"))


def test_assigning_records_both_owners():
    given(CREATED).when(AssignContact(owner=id_of(2))).then(ContactAssigned(previous=id_of(1), owner=id_of(2)))
    given(CREATED).when(AssignContact(owner=id_of(1))).then_nothing()


def test_only_what_is_newly_named_must_exist():
    at = ContactCreated(personal=ADA, owner=id_of(1), account=id_of(5))
    assert references_of(create(owner=id_of(1), account=id_of(5))) == [
        ("/owner", "user", id_of(1)),
        ("/account", "account", id_of(5)),
    ]
    assert references_of(EditContact(account=id_of(5)), at) == []
    assert references_of(EditContact(account=id_of(6)), at) == [("/account", "account", id_of(6))]
    assert references_of(EditContact(account=None), at) == []
    assert references_of(AssignContact(owner=id_of(1)), at) == []
    assert references_of(AssignContact(owner=id_of(2)), at) == [("/owner", "user", id_of(2))]


def test_every_address_is_claimed_whatever_its_case():
    two = ContactPersonal(
        first_name="A",
        last_name="L",
        emails=(EmailAddress(address="Ada@Example.com"), EmailAddress(address="b@example.com")),
    )
    assert claims(Contact(personal=two, external_id="c1", archived=True)) == {
        Claim("contact.email", "ada@example.com"),
        Claim("contact.email", "b@example.com"),
        Claim("contact.external_id", "c1"),
    }


def test_without_an_external_id_none_is_claimed():
    assert claims(Contact(personal=ADA)) == {Claim("contact.email", "ada@example.com")}


@pytest.mark.parametrize("personal", [Erased(), Sealed(b"?")])
def test_who_is_erased_or_sealed_claims_no_address(personal):
    assert claims(Contact(personal=personal, external_id="c1")) == {Claim("contact.external_id", "c1")}
