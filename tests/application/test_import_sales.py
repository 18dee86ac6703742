"""A year of real sales opportunities, imported by the maps in docs/samples and folded from the log."""

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from application.catalogue import ENTITIES
from application.recording import Recorded
from tests.application.importing import Office, Told

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "crm-sales-opportunities"
MAPS = ROOT / "docs" / "samples" / "crm-sales-opportunities"
FILES = {
    "users": "sales_teams.csv",
    "products": "products.csv",
    "accounts": "accounts.csv",
    "deals": "sales_pipeline.csv",
}
MIDSUMMER = datetime(2017, 7, 1, tzinfo=UTC)

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the sales data is not on this machine: {DATA}")


def import_all(office: Office) -> dict[str, Told]:
    return {
        kind: office.take(kind, (MAPS / f"{kind}.toml").read_text(), (DATA / name).read_bytes())
        for kind, name in FILES.items()
    }


@pytest.fixture(scope="module")
def sold(store):
    """A tenant with all of it, and what was told of each file."""
    office = Office(store, uuid7())
    return office, import_all(office)


@pytest.fixture(scope="module")
def log(sold) -> list[Recorded]:
    return sold[0].events()


def states(log: list[Recorded], entity: str, until: datetime | None = None) -> dict[UUID, Any]:
    folded: dict[UUID, Any] = {}
    for each in log:
        if each.entity == entity and (until is None or each.occurred_at < until):
            folded[each.id] = ENTITIES[entity].evolve(folded.get(each.id), each.event)
    return folded


def by_stage(log: list[Recorded], until: datetime | None = None) -> tuple[Counter[str], Decimal]:
    """Deals per stage, and what the won ones are worth."""
    (pipeline,) = states(log, "pipeline").values()
    names = {stage.id: stage.name for stage in pipeline.stages}
    deals = states(log, "deal", until).values()
    worth = sum((deal.amount for deal in deals if deal.kind == "won"), Decimal(0))
    return Counter(names[deal.stage] for deal in deals), worth


def test_every_row_goes_in_and_managers_on_the_way(sold):
    _, told = sold
    assert all(each.all_went_in() for each in told.values())
    assert {kind: each.created for kind, each in told.items()} == {
        "users": 35,
        "products": 7,
        "accounts": 85,
        "deals": 8800,
    }
    assert told["users"].made == ["user"] * 6
    assert not any(each.notes for each in told.values())


def test_accounts_have_their_parents_sectors_and_revenues(log):
    accounts = states(log, "account").values()
    assert len(accounts) == 85
    assert sum(account.parent is not None for account in accounts) == 15
    acme = next(account for account in accounts if account.name == "Acme Corporation")
    assert (acme.industry, acme.annual_revenue, acme.founded) == ("technology", Decimal(1100040000), 1996)
    assert acme.address.country == "United States"


def test_agents_have_their_managers_and_offices(log):
    users = states(log, "user")
    assert Counter(user.role for user in users.values()) == {"rep": 35, "manager": 6}
    darcel = next(user for user in users.values() if user.personal.last_name == "Schlecht")
    assert users[darcel.manager].personal.last_name == "Marxen"
    assert darcel.office == "Central"


def test_deals_stand_where_the_file_says(log):
    stages, worth = by_stage(log)
    assert stages == {"Won": 4238, "Lost": 2473, "Engaging": 1589, "Prospecting": 500}
    assert worth == 10_005_534
    deals = states(log, "deal").values()
    assert sum(deal.account is None for deal in deals) == 1425
    assert len({deal.owner for deal in deals}) == 30


def test_deals_stood_where_they_did_in_midsummer(log):
    stages, worth = by_stage(log, MIDSUMMER)
    assert stages == {"Engaging": 1686, "Won": 1785, "Lost": 894}
    assert worth == 4_220_783


def test_who_won_how_much_and_how_soon(log):
    users = states(log, "user")
    won, worth, lost, by_manager = Counter(), Counter(), Counter(), Counter()
    for deal in states(log, "deal").values():
        name = users[deal.owner].personal.last_name
        manager = users[users[deal.owner].manager].personal.last_name
        if deal.kind == "won":
            won[name] += 1
            worth[name] += deal.amount
            by_manager[manager] += deal.amount
        lost[name] += deal.kind == "lost"
    assert worth.most_common(1) == [("Schlecht", 1_153_214)]
    assert (won["Schlecht"], lost["Schlecht"]) == (349, 204)
    assert by_manager.most_common(1) == [("Marxen", 2_251_930)]
    assert f"{days_to_win(log):.2f}" == "51.78"


def days_to_win(log: list[Recorded]) -> float:
    opened = {each.id: each.occurred_at for each in log if each.event.TYPE == "deal.opened.v1"}
    won = [(each.occurred_at - opened[each.id]).days for each in log if each.event.TYPE == "deal.won.v1"]
    return sum(won) / len(won)


def test_importing_all_of_it_again_appends_no_event(sold, log):
    office, _ = sold
    told = import_all(office)

    assert {kind: each.unchanged for kind, each in told.items()} == {kind: each.rows for kind, each in told.items()}
    assert office.store.head(office.tenant) == len(log)
