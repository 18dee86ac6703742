"""Accounts out of a file: values, owners, and parents that come sooner, later or never."""

from decimal import Decimal

import pytest

from application.importing.problems import MapRefused
from domain.accounts.commands import ArchiveAccount, EditAccount
from domain.values import Address

MAP = """
external_id = "id"
currency = "USD"
[fields]
name = "company"
parent = "parent"
industry = "sector"
annual_revenue = { column = "revenue", factor = 1_000_000 }
employees = "staff"
country = "country"
[aliases.sector]
technolgy = "technology"
"""
HEADER = "id,company,parent,sector,revenue,staff,country\n"


def file(*rows: str) -> str:
    return HEADER + "".join(f"{row}\n" for row in rows)


def child(id: str, parent: str = "") -> str:
    return f"{id},Company {id},{parent},,,,"


def test_columns_become_fields_with_aliases_and_factors(office):
    assert office.take("accounts", MAP, file("a1,Acme,,technolgy,1100.04,2822,Kenya")).all_went_in()

    account = office.record("account", "a1")
    assert (account.name, account.industry, account.employees, account.size) == ("Acme", "technology", 2822, "500+")
    assert (account.annual_revenue, account.currency) == (Decimal(1100040000), "USD")
    assert account.address == Address(country="Kenya")
    assert account.parent is None


def test_all_that_is_wrong_with_a_row_is_said_at_once_and_the_others_go_in(office):
    told = office.take("accounts", MAP, file("a1,,nobody,,12m,-3,", "a2,Good,,,,,"))

    assert sorted(told.reasons(2)) == [
        ("company", "missing"),
        ("parent", "unknown_reference"),
        ("revenue", "not_readable"),
        ("staff", "invalid_value"),
    ]
    assert list(office.by_external_id("account")) == ["a2"]


def test_a_parent_may_stand_before_or_behind_its_children(office):
    rows = file(child("c1", "p"), child("g1", "c1"), child("p"), child("c2", "p"))
    assert office.take("accounts", MAP, rows).all_went_in()

    parents = {id: account.parent for id, (_, account) in office.by_external_id("account").items()}
    assert parents == {
        "p": None,
        "c1": office.id("account", "p"),
        "c2": office.id("account", "p"),
        "g1": office.id("account", "c1"),
    }


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_a_parent_may_stand_many_batches_behind(office, batch):
    chain = [child(f"n{number}", f"n{number + 1}") for number in range(7)]
    assert office.take("accounts", MAP, file(*chain, child("n7")), batch=batch).all_went_in()

    assert office.record("account", "n0").parent == office.id("account", "n1")
    assert len(office.records("account")) == 8


def test_a_parent_that_never_comes_is_said_of_its_row_and_of_those_that_hang_on_it(office):
    told = office.take("accounts", MAP, file(child("a", "b"), child("b", "nobody"), child("c")))

    assert told.reasons(2) == told.reasons(3) == [("parent", "unknown_reference")]
    assert "'nobody'" in told.problems[3][0].reason
    assert list(office.by_external_id("account")) == ["c"]


def test_accounts_that_stand_above_each_other_are_rejected(office):
    told = office.take("accounts", MAP, file(child("a", "b"), child("b", "a"), child("c", "c")))

    assert set(told.problems) == {2, 3, 4}
    assert told.reasons(4) == [("parent", "hierarchy_cycle")]


def test_a_circle_that_a_later_file_would_close_is_refused(office):
    office.take("accounts", MAP, file(child("a"), child("b", "a"), child("c", "b")))
    told = office.take("accounts", MAP, file(child("a", "c")))

    assert told.reasons(2) == [("parent", "hierarchy_cycle")]
    assert office.record("account", "a").parent is None


def test_an_archived_parent_takes_no_children(office):
    office.take("accounts", MAP, file(child("p")))
    office.ask("account", office.id("account", "p"), ArchiveAccount())
    told = office.take("accounts", MAP, file(child("c", "p")))

    assert told.reasons(2) == [("parent", "reference_archived")]
    assert told.problems[2][0].reason == "The account 'p' is archived."


def test_a_missing_parent_is_made_where_the_map_asks_for_it_but_not_where_it_comes_later(office):
    map = MAP.replace('parent = "parent"', 'parent = { column = "parent", create_missing = true }')
    told = office.take("accounts", map, file(child("a", "b"), child("b"), child("c", "x"), child("d", "x")))

    assert told.all_went_in()
    assert told.made == ["account"]
    assert office.record("account", "x").name == "x"
    assert office.record("account", "b").name == "Company b"
    assert office.record("account", "c").parent == office.record("account", "d").parent == office.id("account", "x")


def test_an_id_that_comes_again_in_the_same_file_is_rejected(office):
    told = office.take("accounts", MAP, file(child("a"), child("b"), "a,Other,,,,,"), batch=2)

    assert told.reasons(4) == [("id", "repeated_id")]
    assert told.problems[4][0].reason == "The external id 'a' came already in row 2."
    assert office.record("account", "a").name == "Company a"


def test_a_row_that_is_archived_by_now_is_rejected_once_it_changes(office):
    office.take("accounts", MAP, file(child("a")))
    office.ask("account", office.id("account", "a"), ArchiveAccount())

    assert office.take("accounts", MAP, file(child("a"))).unchanged == 1
    assert office.take("accounts", MAP, file("a,New name,,,,,")).reasons(2) == [(None, "archived")]


def test_a_record_that_people_made_under_that_id_is_completed_not_doubled(office):
    office.take("accounts", 'external_id = "id"\n[fields]\nname = "company"\n', file(child("a")))
    office.ask("account", office.id("account", "a"), EditAccount(description="Ours"))
    told = office.take("accounts", MAP, file("a,Company a,,retail,,,"))

    assert told.changed == 1
    account = office.record("account", "a")
    assert (account.industry, account.description) == ("retail", "Ours")


def test_a_file_without_a_column_of_the_map_imports_nothing(office):
    with pytest.raises(MapRefused):
        office.take("accounts", MAP, "id,company\na,Acme\n")
    assert office.events() == []


def test_each_batch_is_announced_once(office):
    office.take("accounts", MAP, file(*(child(str(number)) for number in range(10))), batch=4)
    assert office.announced.positions == [4, 8, 10]
