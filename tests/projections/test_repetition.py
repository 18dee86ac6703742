"""Whatever is projected again, from wherever and in batches of any size, the rows end up the same."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from msgspec import structs
from uuid_utils.compat import uuid7

from domain.accounts.events import AccountCreated, AccountEdited
from domain.contacts.events import ContactArchived, ContactCreated, ContactEdited, ContactPersonal
from domain.deals.events import (
    DealArchived,
    DealAssigned,
    DealContact,
    DealEdited,
    DealLost,
    DealOpened,
    DealReopened,
    DealRestored,
    DealStageChanged,
    DealWon,
)
from domain.files.events import FileArchived, FileAttached, FileEdited, FilePersonal, FileRestored, Host
from domain.identity.events import UserCreated, UserEdited, UserPersonal
from domain.permissions import Role
from domain.pipelines.events import PipelineEdited
from domain.products.events import ProductCreated, ProductEdited
from projections.deals.pipeline import pipeline
from tests.projections.relational import Stages, Tenancy, on

STAGES = Stages()


@pytest.fixture
def busy(database, store) -> Tenancy:
    """A log in which many records change in turns, deals often several times at one instant."""
    tenancy, dice = Tenancy(database, store), random.Random(11)
    ids: dict[str, list[UUID]] = {entity: [uuid7() for _ in range(3)] for entity in _CREATIONS}
    tenancy.happen([("pipeline", STAGES.pipeline, [STAGES.created()], None)])
    for entity, made in _CREATIONS.items():
        for id in ids[entity]:
            tenancy.happens(entity, id, made(ids), at=on("2017-01-01"))
    clock = {entity: dict.fromkeys(ids[entity], on("2017-01-01")) for entity in ids}
    for _ in range(120):
        entity = dice.choice(["deal", "deal", "deal", *ids])
        id = dice.choice(ids[entity])
        clock[entity][id] += timedelta(days=dice.choice([0, 0, 1, 5]))
        tenancy.happens(entity, id, dice.choice(_CHANGES[entity])(ids, dice), at=clock[entity][id])
    tenancy.happens("pipeline", STAGES.pipeline, PipelineEdited(name="Renamed"))
    return tenancy


def _person(kind: Any, dice: random.Random | None = None) -> Any:
    return kind(first_name="Ada", last_name=str(dice.random()) if dice else "Lovelace")


def _file(contact: UUID) -> FileAttached:
    return FileAttached(
        personal=FilePersonal(name="a.txt"),
        entity=Host.CONTACT,
        record=contact,
        media_type="text/plain",
        size=1,
        sha256="0" * 64,
    )


_CREATIONS: dict[str, Any] = {
    "account": lambda ids: AccountCreated(name="Acme"),
    "contact": lambda ids: ContactCreated(personal=_person(ContactPersonal)),
    "product": lambda ids: ProductCreated(name="GTX"),
    "user": lambda ids: UserCreated(personal=_person(UserPersonal), role=Role.REP),
    "file": lambda ids: _file(ids["contact"][0]),
    "deal": lambda ids: DealOpened(
        name="Deal", pipeline=STAGES.pipeline, stage=STAGES.new, probability=10, currency="USD"
    ),
}
_CHANGES: dict[str, list[Any]] = {
    "account": [lambda ids, dice: AccountEdited(parent=dice.choice(ids["account"]))],
    "contact": [
        lambda ids, dice: ContactEdited(personal=_person(ContactPersonal, dice), account=dice.choice(ids["account"])),
        lambda ids, dice: ContactArchived(),
    ],
    "product": [lambda ids, dice: ProductEdited(prices={"USD": Decimal(dice.randrange(9))})],
    "user": [lambda ids, dice: UserEdited(personal=_person(UserPersonal, dice), office=dice.choice(["West", None]))],
    "file": [
        lambda ids, dice: FileEdited(personal=FilePersonal(name=f"{dice.random()}.txt")),
        lambda ids, dice: FileArchived(),
        lambda ids, dice: FileRestored(),
    ],
    "deal": [
        lambda ids, dice: DealEdited(amount=Decimal(dice.randrange(3)), account=dice.choice(ids["account"])),
        lambda ids, dice: DealEdited(contacts=(DealContact(contact=dice.choice(ids["contact"])),), name="Other"),
        lambda ids, dice: DealStageChanged(
            previous=STAGES.new,
            pipeline=STAGES.pipeline,
            stage=dice.choice([STAGES.new, STAGES.engaging]),
            probability=1,
        ),
        lambda ids, dice: DealWon(previous=STAGES.new, stage=STAGES.won, amount=Decimal(5), currency="EUR"),
        lambda ids, dice: DealLost(previous=STAGES.new, stage=STAGES.lost),
        lambda ids, dice: DealReopened(previous=STAGES.lost, stage=STAGES.new, probability=10),
        lambda ids, dice: DealAssigned(previous=None, owner=dice.choice([*ids["user"], None])),
        lambda ids, dice: DealArchived(),
        lambda ids, dice: DealRestored(),
    ],
}


def test_projecting_the_whole_log_twice_changes_nothing(busy):
    busy.project()
    before = busy.rows()
    assert all(before.values())
    busy.project()
    assert busy.rows() == before


@pytest.mark.parametrize("size", [1, 2, 7, 50])
def test_batches_of_any_size_leave_the_same_rows(busy, size):
    busy.project()
    expected = busy.rows()
    busy.generation = 2
    busy.project(size=size)
    again = {table: [{**row, "generation": 1} for row in rows] for table, rows in busy.rows().items()}
    assert {table: sorted(rows, key=repr) for table, rows in again.items()} == expected


@pytest.mark.parametrize("seed", range(5))
def test_older_batches_after_newer_ones_change_nothing(busy, seed):
    busy.project()
    before, head, dice = busy.rows(), busy.store.head(busy.id), random.Random(seed)
    for _ in range(8):
        after = dice.randrange(head)
        busy.project(after=after, until=dice.randrange(after + 1, head + 1), size=dice.choice([1, 3, 1000]))
        assert busy.rows() == before


def test_periods_of_a_deal_follow_one_another_without_gap_or_overlap(busy):
    busy.project(size=5)
    periods: dict[UUID, list[Any]] = {}
    for row in busy.rows()["deal_periods"]:
        periods.setdefault(row["deal"], []).append((row["valid_from"], row["valid_to"]))
    assert len(periods) == 3
    for each in periods.values():
        each.sort()
        assert [end for _, end in each[:-1]] == [start for start, _ in each[1:]]
        assert each[-1][1] is None
        assert len(each) > 3
        assert all(start < (end or datetime.now(UTC)) for start, end in each)


def test_the_totals_of_the_present_are_what_the_periods_add_up_to(busy):
    busy.project(size=7)
    now = datetime.now(UTC)
    owners = {row["owner"] for row in busy.rows()["deals"]}
    assert len(owners) > 1
    for seen in (None, *({owner} for owner in owners if owner)):
        viewer = structs.replace(busy.viewer, owners=seen and frozenset(seen))
        present = pipeline(busy.database, viewer, now=now)
        assert any(each.deals for each in present.stages)
        assert present == pipeline(busy.database, viewer, now=now, as_of=now)
