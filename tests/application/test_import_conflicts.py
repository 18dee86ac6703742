"""Imports beside other writers: what conflicts is decided again, and the rest goes in."""

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from application.ports import Append, Appended, ClaimConflict, EventStore
from domain.accounts.commands import ArchiveAccount
from domain.kernel import Claim
from domain.pipelines.commands import EditPipeline, StageDraft
from tests.application.dealing import DEALS, deals
from tests.application.importing import Office
from tests.fixtures import event_store

ACCOUNTS = 'external_id = "id"\n[fields]\nname = "id"\nparent = "parent"\n'
CONTACTS = 'external_id = "id"\n[fields]\nfirst_name = "id"\nlast_name = "id"\nemail = "email"\n'


class Meddled:
    """A store in which something happens right before an append."""

    def __init__(self, store: EventStore, *before: Callable[[], object]) -> None:
        self._store = store
        self._before = list(before)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def append(self, tenant: UUID, append: Append) -> Appended:
        if self._before:
            self._before.pop(0)()
        return self._store.append(tenant, append)


def test_a_record_that_another_import_made_meanwhile_is_not_doubled(office):
    rows = "id,parent\na,\nb,\n"
    meddled = Meddled(office.store, lambda: office.take("accounts", ACCOUNTS, "id,parent\na,\n"))
    told = office.take("accounts", ACCOUNTS, rows, store=meddled)

    assert (told.created, told.unchanged) == (1, 1)
    assert len(office.records("account")) == 2


def test_a_reference_that_was_archived_meanwhile_is_seen(office):
    office.take("accounts", ACCOUNTS, "id,parent\np,\n")
    parent = office.id("account", "p")
    meddled = Meddled(office.store, lambda: office.ask("account", parent, ArchiveAccount()))
    told = office.take("accounts", ACCOUNTS, "id,parent\na,p\nb,\n", store=meddled)

    assert told.reasons(2) == [("parent", "reference_archived")]
    assert told.created == 1


def test_a_change_of_the_pipeline_meanwhile_lets_the_deals_be_decided_again(office):
    office.take("deals", DEALS, deals())
    ((pipeline, state),) = office.records("pipeline").items()
    drafts = tuple(
        StageDraft(id=each.id, name=each.name, kind=each.kind, probability=each.probability) for each in state.stages
    )
    rename = EditPipeline(name="Renamed", stages=drafts)
    meddled = Meddled(office.store, lambda: office.ask("pipeline", pipeline, rename))

    assert office.take("deals", DEALS, deals("d1,,,,Engaging,,,"), store=meddled).all_went_in()
    assert office.kinds() == ["pipeline.created.v1", "pipeline.edited.v1", "deal.opened.v1"]


def test_a_conflict_that_stays_costs_its_row_alone(office):
    def refuse() -> None:
        claim = Claim("contact.email", "x@example.com")
        raise ClaimConflict(claim, f"contact-{uuid7()}", row=3)

    rows = "id,email\na,a@example.com\nb,b@example.com\nc,c@example.com\n"
    told = office.take("contacts", CONTACTS, rows, store=Meddled(office.store, *[refuse] * 4))

    assert [problem.code for problem in told.problems[3]] == ["conflict"]
    assert told.created == 2


@pytest.mark.parametrize("batch", [3, 50])
def test_two_imports_of_the_same_file_at_once_double_nothing(sales, database, batch):
    rows = [f"d{number},,GTXPro,Acme,Won,2017-01-{number % 28 + 1:02},2017-03-01,{number}" for number in range(120)]
    offices = [Office(event_store(database), sales.tenant) for _ in range(2)]
    together(lambda office: office.take("deals", DEALS, deals(*rows), batch=batch), offices)

    assert len(sales.records("deal")) == 120
    assert len(sales.records("pipeline")) == 1
    assert sorted(sales.kinds()).count("deal.won.v1") == 120


def test_two_imports_of_parents_and_children_at_once_double_nothing(office, database):
    map = ACCOUNTS.replace('parent = "parent"', 'parent = { column = "parent", create_missing = true }')
    rows = "id,parent\n" + "".join(f"a{number},p{number % 7}\n" for number in range(60))
    offices = [Office(event_store(database), office.tenant) for _ in range(3)]
    together(lambda each: each.take("accounts", map, rows, batch=7), offices)

    assert len(office.records("account")) == 67


def together(work: Callable[[Office], Any], offices: list[Office]) -> None:
    """Lets all of them work at the same time; each row comes to an end in each import, and none is rejected."""
    start, told = Barrier(len(offices)), []

    def run(office: Office) -> None:
        start.wait()
        told.append(work(office))

    threads = [Thread(target=run, args=(office,)) for office in offices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == len(offices), "an import ended with an error"
    assert [each.problems for each in told] == [{}] * len(offices)


def test_a_batch_reads_the_log_three_times_whatever_its_size(sales):
    counts: dict[str, int] = {}

    class Counting(Meddled):
        def __getattr__(self, name: str) -> Any:
            counts[name] = counts.get(name, 0) + 1
            return super().__getattr__(name)

    rows = [f"d{number},,GTXPro,Acme,Engaging,2017-01-02,," for number in range(40)]
    sales.take("deals", DEALS, deals())
    sales.take("deals", DEALS, deals(*rows), store=Counting(sales.store))
    prepared = {"holders": 1, "stream": 1, "sources": 1}
    assert {name: counts[name] - prepared.get(name, 0) for name in ("holders", "streams", "sources")} == {
        "holders": 1,
        "streams": 1,
        "sources": 1,
    }
