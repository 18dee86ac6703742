"""Real stores are rebuilt under load, go away and come back, and are projected to again: nothing is lost or doubled."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.fixtures import event_store
from tests.journeys.conftest import TENANT
from tests.journeys.load import Load
from tests.journeys.reading import KINDS, WORD, body, everything
from tests.journeys.stored import Stored, stored

OLD, TOUCHED, REBUILDS = 100, 10, 2
BOUND = 20.0
"""Seconds that a query of a store that is away may take: five times what it waits for freshness and for the store."""


@pytest.fixture(scope="module")
def store(system, elasticsearch_url, mongodb_url, tenant) -> Iterator[Stored]:
    with stored(system.variables, elasticsearch_url, mongodb_url, tenant) as store:
        yield store


@pytest.fixture(scope="module")
def old(system) -> list[str]:
    """Accounts that are there from the beginning, with contacts and deals. These are in a pipeline of their own, and
    some are won."""
    stages = [{"name": kind.title(), "kind": kind, "probability": 50} for kind in ("open", "won", "lost")]
    pipeline = system.send("POST", "/pipelines", {"name": "Old", "stages": stages})["id"]

    def make(number: int) -> str:
        name = f"{WORD} Old{number}"
        account = system.send("POST", "/accounts", body("accounts", name))["id"]
        system.send("POST", "/contacts", body("contacts", name, account=account))
        sold = {"account": account, "pipeline": pipeline, "amount": "1.10", "currency": "EUR"}
        deal = system.send("POST", "/deals", body("deals", name, **sold))["id"]
        if number % 7 == 0:
            system.send("POST", f"/deals/{deal}/close", {"outcome": "won"})
        return str(account)

    with ThreadPoolExecutor(4) as pool:
        accounts = list(pool.map(make, range(OLD)))
    system.wait_until_projected(60)
    return accounts


def test_rebuilds_are_noticed_by_nobody_who_reads_or_writes_meanwhile(system, old, tenant, store, copied_database):
    (default,) = (each for each in system.get("/pipelines")["items"] if each["default"])
    accounts, stages = old[:TOUCHED], [stage["id"] for stage in default["stages"]]
    # So much at a time on few processors: what is shown is that nothing is missing, not how soon it is there.
    with system.also_served(READ_YOUR_WRITES_SECONDS="20") as api:
        load = Load(api, {*accounts, *stages})
        with load.going_on(accounts, stages[1]):
            rebuilt = [system.run("projections", "rebuild", "--tenant", TENANT) for _ in range(REBUILDS)]
        now = everything(api)

    assert [done.returncode for done in rebuilt] == [0] * REBUILDS, rebuilt
    assert load.missing(now) == {}
    counted = {id: stage["deals"] for (kind, id), stage in now.items() if kind == "pipeline" and stage["deals"]}
    assert counted == Counter(row["stage"] for (kind, _), row in now.items() if kind == "deals")
    head = event_store(copied_database).head(tenant)
    assert [position for kind, position in now if kind == "audit"] == list(range(head, 0, -1))
    assert len(store.audit()) == head
    last = {document["id"]: position for position, document in store.search().values()}
    assert len(last) == len(store.search())
    made = {id: outcome["position"] for (kind, id), outcome in load.written.items() if kind in KINDS}
    assert {id: last[id] for id in made} == made


QUERIES = {"search": f"/search?q={WORD}", "audit": "/audit"}


@pytest.mark.parametrize(("away", "there"), [("search", "audit"), ("audit", "search")])
def test_a_store_that_is_away_refuses_its_own_queries_and_gets_all_that_it_missed_when_it_is_back(
    system, relays, tenant, copied_database, away, there
):
    stage = system.get("/analytics/pipeline")["stages"][1]["stage_id"]
    with system.also_served(READ_YOUR_WRITES_SECONDS="20") as patient, relays[away].cut():
        outcomes = {kind: system.send("POST", f"/{kind}", body(kind, f"{WORD} {away}Away")) for kind in KINDS}
        moved = system.send("POST", f"/deals/{outcomes['deals']['id']}/change-stage", {"stage": stage})
        outcomes["deals"] = moved
        for kind, outcome in outcomes.items():
            assert patient.get(f"/{kind}/{outcome['id']}")["version"] == outcome["version"]
            assert patient.get(f"/{kind}/{outcome['id']}/timeline")["items"][0]["position"] == outcome["position"]
        patient.get("/analytics/pipeline")
        patient.get(QUERIES[there])

        refused = system.client.get(f"/api/v1{QUERIES[away]}")
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert refused.headers.keys() >= {"retry-after", "clientforge-stale"}
        assert refused.elapsed.total_seconds() < BOUND
        assert system.client.get("/ready").json()["status"] == "degraded"
        system.wait_for_lags(lambda lags: lags[away].waiting > 0, 30)
        status = system.run("projections", "status", "--tenant", TENANT).stdout
        assert "PARKED" not in status
        assert [line.split()[1] for line in status.splitlines() if "(away)" in line] == [away]

    system.wait_until_projected(60)
    found = system.get("/search", q=f"{away}Away")["items"]
    assert {hit["id"] for hit in found} == {outcome["id"] for outcome in outcomes.values()}
    head = event_store(copied_database).head(tenant)
    assert head == moved["position"]
    assert [entry["position"] for entry in system.all("/audit")] == list(range(head, 0, -1))
    verified = system.run("events", "verify", "--tenant", TENANT)
    assert f"{head:,} events, intact" in verified.stdout


@pytest.mark.parametrize("share", [0, 0.5])
def test_projecting_again_from_an_older_checkpoint_changes_no_document_and_brings_back_lost_ones(
    system, old, store, tenant, copied_urls, share
):
    system.wait_until_projected(60)
    before, search, audit = everything(system), store.search(), store.audit()
    store.lose(max(search, key=lambda key: search[key][0]), max(audit))
    assert (len(store.search()), len(store.audit())) == (len(search) - 1, len(audit) - 1)
    with psycopg.connect(copied_urls.superuser) as connection:
        moved = connection.execute(
            "UPDATE projection_checkpoints SET position = floor(position * %s)"
            " WHERE tenant_id = %s AND projection IN ('search', 'audit') AND live",
            (share, tenant),
        )
        assert moved.rowcount == 2

    system.wait_until_projected(60)
    assert store.search() == search
    assert store.audit() == audit
    assert everything(system) == before
