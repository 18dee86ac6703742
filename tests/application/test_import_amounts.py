"""An amount and its currency belong together: an import writes both as the row has them, or neither."""

from decimal import Decimal

import pytest

from domain.accounts.commands import EditAccount
from domain.deals.commands import EditDeal
from domain.deals.lines import LineDraft
from tests.application.dealing import DEALS, deals

AMOUNTS = DEALS.replace('won_amount = "value"', 'amount = "value"')
ACCOUNTS = 'external_id = "id"\ncurrency = "USD"\n[fields]\nname = "id"\nannual_revenue = "revenue"\n'
IN_EUROS = ('currency = "USD"', 'currency = "EUR"')


def open_deal(value: str) -> str:
    return deals(f"d1,,,,Engaging,2017-01-10,,{value}")


def won_deal(value: str) -> str:
    return deals(f"d1,,,,Won,2017-01-10,2017-03-01,{value}")


def worth(office) -> tuple[Decimal | int, str]:
    deal = office.record("deal", "d1")
    return deal.amount, deal.currency


@pytest.mark.parametrize(("map", "row"), [(AMOUNTS, open_deal), (AMOUNTS, won_deal), (DEALS, won_deal)])
def test_a_deals_changed_amount_comes_in_the_currency_of_the_file(sales, map, row):
    sales.take("deals", map, row("100"))
    sales.ask("deal", sales.id("deal", "d1"), EditDeal(amount=Decimal(95), currency="EUR"))
    assert sales.take("deals", map, row("100")).unchanged == 1
    assert worth(sales) == (95, "EUR"), "people's edits stay until the source changes"

    assert sales.take("deals", map, row("120")).changed == 1
    assert worth(sales) == (120, "USD")


@pytest.mark.parametrize(("map", "row"), [(AMOUNTS, open_deal), (AMOUNTS, won_deal), (DEALS, won_deal)])
def test_a_deals_changed_currency_comes_with_the_amount_of_the_file(sales, map, row):
    sales.take("deals", map, row("100"))
    sales.ask("deal", sales.id("deal", "d1"), EditDeal(amount=Decimal(80), currency="GBP"))

    sales.take("deals", map.replace(*IN_EUROS), row("100"))
    assert worth(sales) == (100, "EUR")


def test_a_lines_changed_price_comes_in_the_currency_of_the_file(sales):
    prices = DEALS.replace('won_amount = "value"', 'unit_price = "value"')
    row = "d1,,GTXPro,,Engaging,2017-01-10,,"
    sales.take("deals", prices, deals(f"{row}100"))
    product = sales.record("deal", "d1").lines[0].product
    lines = (LineDraft(product=product, unit_price=Decimal(95)),)
    sales.ask("deal", sales.id("deal", "d1"), EditDeal(lines=lines, currency="EUR"))
    assert worth(sales) == (95, "EUR")

    sales.take("deals", prices, deals(f"{row}120"))
    assert worth(sales) == (120, "USD")
    sales.take("deals", prices.replace(*IN_EUROS), deals(f"{row}120"))
    assert worth(sales) == (120, "EUR")


def test_an_amount_that_the_file_never_told_stays_when_its_currency_changes(sales):
    sales.take("deals", AMOUNTS, open_deal(""))
    sales.ask("deal", sales.id("deal", "d1"), EditDeal(amount=Decimal(80)))

    sales.take("deals", AMOUNTS.replace(*IN_EUROS), open_deal(""))
    assert worth(sales) == (80, "EUR")


def test_a_deal_that_is_won_without_an_amount_in_the_file_keeps_its_own_with_its_currency(sales):
    sales.take("deals", AMOUNTS, open_deal(""))
    sales.ask("deal", sales.id("deal", "d1"), EditDeal(amount=Decimal(95), currency="EUR"))

    assert sales.take("deals", AMOUNTS, won_deal("")).changed == 1
    assert worth(sales) == (95, "EUR")


def test_an_accounts_changed_revenue_comes_in_the_currency_of_the_file(office):
    office.take("accounts", ACCOUNTS, "id,revenue\na1,100\n")
    office.ask("account", office.id("account", "a1"), EditAccount(annual_revenue=Decimal(95), currency="EUR"))

    office.take("accounts", ACCOUNTS, "id,revenue\na1,120\n")
    account = office.record("account", "a1")
    assert (account.annual_revenue, account.currency) == (120, "USD")


def test_an_accounts_changed_currency_comes_with_the_revenue_of_the_file(office):
    office.take("accounts", ACCOUNTS, "id,revenue\na1,100\n")
    office.ask("account", office.id("account", "a1"), EditAccount(annual_revenue=Decimal(95), currency="GBP"))

    office.take("accounts", ACCOUNTS.replace(*IN_EUROS), "id,revenue\na1,100\n")
    account = office.record("account", "a1")
    assert (account.annual_revenue, account.currency) == (100, "EUR")
