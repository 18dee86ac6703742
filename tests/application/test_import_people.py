"""Users, contacts and products out of a file; who they are is never stored in the clear."""

import re
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from domain.contacts.commands import EditContact, EmailDraft, PhoneDraft
from domain.identity.commands import CreateUser
from domain.permissions import Role
from domain.products.commands import EditProduct
from tests.application.importing import Office

AGENTS = """
external_id = "agent"
[fields]
first_name = { column = "agent", part = "first" }
last_name = { column = "agent", part = "last" }
office = "office"
role = { default = "rep" }
[fields.manager]
column = "manager"
create_missing = true
create = { office = "office", role = { default = "manager" } }
"""
TEAMS = "agent,manager,office\nMei-Mei Johns,Melvin Marxen,Central\nAnna Snelling,Dustin Brinkmann,East\n"
CONTACTS = """
external_id = "id"
[fields]
first_name = { column = "name", part = "first" }
last_name = { column = "name", part = "last" }
email = "email"
phone = "phone"
mobile = "mobile"
status = "status"
city = "city"
owner = "owner"
do_not_call = "quiet"
"""
PEOPLE = "id,name,email,phone,mobile,status,city,owner,quiet\n"
ADA = "c1,Ada Byron,ada@example.com,+44 20 7946 0018,+44 7700 900123,contacted,London,,yes\n"


def users(office: Office) -> dict[str, tuple[UUID, Any]]:
    found = office.records("user")
    return {f"{user.personal.first_name} {user.personal.last_name}": (id, user) for id, user in found.items()}


def test_agents_get_their_managers_on_the_way(office):
    told = office.take("users", AGENTS, TEAMS)

    assert (told.created, told.made) == (2, ["user", "user"])
    found = users(office)
    agent, manager = found["Mei-Mei Johns"][1], found["Melvin Marxen"][1]
    assert (agent.role, agent.office, agent.manager) == (Role.REP, "Central", found["Melvin Marxen"][0])
    assert (manager.role, manager.office, manager.manager) == (Role.MANAGER, "Central", None)
    assert agent.personal.email is None


def test_who_may_do_what_is_known_with_the_import(office, database):
    office.take("users", AGENTS, TEAMS)
    rows = database.read(office.tenant, "SELECT role, count(*) FROM principals WHERE tenant_id = %(tenant)s GROUP BY 1")
    assert {row["role"]: row["count"] for row in rows} == {"rep": 2, "manager": 2}


def test_a_manager_who_is_an_agent_too_is_one_person(office):
    office.take("users", AGENTS, TEAMS + "Melvin Marxen,,West\n")
    assert len(users(office)) == 4
    assert users(office)["Melvin Marxen"][1].role == Role.REP


def test_users_are_found_by_the_name_that_is_their_id(office):
    office.take("users", AGENTS, TEAMS)
    told = office.take("contacts", CONTACTS, PEOPLE + ADA.replace(",,yes", ",Anna Snelling,yes"))

    assert told.all_went_in()
    assert office.record("contact", "c1").owner == users(office)["Anna Snelling"][0]


def test_an_id_that_is_a_name_or_an_address_is_not_stored_in_the_clear(office, database):
    office.take("users", AGENTS, TEAMS)
    by_email = CONTACTS.replace('external_id = "id"', 'external_id = "email"')
    office.take("contacts", by_email, PEOPLE + ADA)
    office.take("contacts", by_email, PEOPLE + ADA.replace("London", "Paris"))

    assert len(office.records("contact")) == 1
    tables = ("events", "claims", "import_sources")
    stored = [database.read(office.tenant, f"SELECT * FROM {name} WHERE tenant_id = %(tenant)s") for name in tables]
    text = _RANDOM.sub("", " ".join(_text(value) for rows in stored for row in rows for value in row.values()))
    for name in ("Mei-Mei", "Johns", "Marxen", "Snelling", "Byron", "ada@example.com", "7946", "London", "Paris"):
        assert name not in text
    assert "Central" in text, "what is not personal is there"


_RANDOM = re.compile(r"\b(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")
"""Keyed hashes and ids: among so many digits any four stand somewhere, once in some hundred runs."""


def _text(value: object) -> str:
    return bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)


def test_somebody_who_was_entered_under_that_id_in_the_clear_is_not_doubled(office):
    entered = CreateUser(first_name="Anna", last_name="Snelling", external_id="Anna Snelling")
    office.ask("user", uuid7(), entered)
    told = office.take("users", AGENTS, TEAMS)

    assert (told.created, told.changed) == (1, 1)
    assert users(office)["Anna Snelling"][1].role == Role.REP
    assert len(users(office)) == 4


def test_a_contact_has_an_address_and_numbers(office):
    assert office.take("contacts", CONTACTS, PEOPLE + ADA).all_went_in()

    contact = office.record("contact", "c1")
    assert [(each.address, each.primary) for each in contact.personal.emails] == [("ada@example.com", True)]
    assert [(each.number, each.kind) for each in contact.personal.phones] == [
        ("+44 20 7946 0018", None),
        ("+44 7700 900123", "mobile"),
    ]
    assert (contact.status, contact.do_not_call, contact.personal.address.city) == ("contacted", True, "London")


def test_addresses_that_people_added_stay_when_the_files_changes(office):
    office.take("contacts", CONTACTS, PEOPLE + ADA)
    more = (EmailDraft(address="ada@example.com", primary=True), EmailDraft(address="ada@home.example"))
    phones = (
        PhoneDraft(number="+44 20 7946 0018"),
        PhoneDraft(number="+44 7700 900123", kind="mobile"),
        PhoneDraft(number="112"),
    )
    office.ask("contact", office.id("contact", "c1"), EditContact(emails=more, phones=phones))
    office.take(
        "contacts", CONTACTS, PEOPLE + ADA.replace("ada@example.com", "a@b.example").replace("900123", "900999")
    )

    personal = office.record("contact", "c1").personal
    assert [(each.address, each.primary) for each in personal.emails] == [
        ("a@b.example", True),
        ("ada@home.example", False),
    ]
    assert {each.number for each in personal.phones} == {"+44 20 7946 0018", "+44 7700 900999", "112"}


def test_a_status_that_was_emptied_is_what_it_is_without_one(office):
    office.take("contacts", CONTACTS, PEOPLE + ADA)
    office.take("contacts", CONTACTS, PEOPLE + ADA.replace("contacted", ""))
    assert office.record("contact", "c1").status == "new"


@pytest.mark.parametrize(
    ("row", "reasons"),
    [
        ("c1,Madonna,m@example.com,,,,,,", [("name", "missing")]),
        ("c1,Ada Byron,,,,,,,", [("email", "email_or_phone_required")]),
        ("c1,Ada Byron,nowhere,,,,,,", [("email", "invalid_value")]),
        ("c1,Ada Byron,a@example.com,,,dormant,,,perhaps", [("status", "invalid_value"), ("quiet", "not_readable")]),
    ],
)
def test_people_who_can_not_be_are_rejected(office, row, reasons):
    told = office.take("contacts", CONTACTS, f"{PEOPLE}{row}\n")
    assert sorted(told.reasons(2), key=str) == sorted(reasons, key=str)


def test_an_address_belongs_to_one_contact_in_the_file_and_in_the_log(office):
    rows = ADA + ADA.replace("c1", "c2") + ADA.replace("c1", "c3").replace("ada@", "ADA@")
    told = office.take("contacts", CONTACTS, PEOPLE + rows)
    assert [told.reasons(row) for row in (2, 3, 4)] == [[], [("email", "already_taken")], [("email", "already_taken")]]

    told = office.take("contacts", CONTACTS, PEOPLE + ADA.replace("c1", "c4"))
    assert told.reasons(2) == [("email", "already_taken")]


def test_products_have_a_price_in_the_maps_currency_beside_those_of_people(office):
    map = 'external_id="name"\ncurrency="USD"\n[fields]\nname="name"\nprice="price"\nactive={column="sold"}\n'
    assert office.take("products", map, "name,price,sold\nGTX,550,yes\n").all_went_in()
    office.ask("product", office.id("product", "GTX"), EditProduct(prices={"EUR": Decimal(500)}))
    assert office.take("products", map, "name,price,sold\nGTX,560,no\n").changed == 1

    product = office.record("product", "GTX")
    assert (dict(product.prices), product.active) == ({"USD": Decimal(560), "EUR": Decimal(500)}, False)
    told = office.take("products", map.replace('currency="USD"', ""), "name,price,sold\nMG,1,yes\n")
    assert told.reasons(2) == [("price", "missing")]
