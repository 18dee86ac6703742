"""Readers of a real system see their own writes in every process, and are told when they don't."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.journeys.conftest import TENANT
from tests.journeys.poison import no_deal_named
from tests.journeys.reading import WORD, body
from tests.journeys.system import System

ROUNDS = 20
PATIENCE = 2.0
"""Seconds that a query waits for what is projected still, unless told otherwise."""


@pytest.fixture(scope="module")
def open_stages(system) -> list[str]:
    """The open stages of the default pipeline."""
    (pipeline,) = system.get("/pipelines")["items"]
    return [stage["id"] for stage in pipeline["stages"] if stage["kind"] == "open"]


def readings(reader: System, kind: str, title: str, outcome: Any, stage: str | None = None) -> list[Callable[[], None]]:
    """Every query that shows a record, each with the check that it shows what a command came to."""
    id, version, position = outcome["id"], outcome["version"], outcome["position"]

    def get() -> None:
        assert reader.get(f"/{kind}/{id}")["version"] == version

    def listed() -> None:
        row = reader.get(f"/{kind}", sort="-updated_at", limit=1)["items"][0]
        assert (row["id"], row["version"]) == (id, version)

    def timeline() -> None:
        assert reader.get(f"/{kind}/{id}/timeline")["items"][0]["position"] == position

    def audit() -> None:
        assert reader.get("/audit", entity=kind[:-1], id=id)["items"][0]["position"] == position

    def search() -> None:
        (hit,) = reader.get("/search", q=title, types=kind)["items"]
        assert (hit["id"], hit["fields"].get("stage")) == (id, stage)

    def pipeline() -> None:
        stages = {each["stage_id"]: each["deals"] for each in reader.get("/analytics/pipeline")["stages"]}
        assert stages[stage] == 1

    return [get, listed, timeline, audit, search, *([pipeline] if stage else [])]


def check(reader: System, turn: int, *shown: Any) -> None:
    """Reads it all; which query comes right after the write depends on the turn."""
    checks = deque(readings(reader, *shown))
    checks.rotate(turn)
    for each in checks:
        each()


def test_a_write_through_one_process_is_read_through_another_at_once(system, open_stages):
    first, second = open_stages[:2]
    # On few processors it may be long until a write is projected: what is shown is that no read goes without it.
    with system.also_served(READ_YOUR_WRITES_SECONDS="20") as other:
        for turn in range(ROUNDS):
            name = f"{WORD} Twin{turn:02}"
            account = system.send("POST", "/accounts", body("accounts", name))
            check(other, turn, "accounts", name, account)
            contact = system.send("POST", "/contacts", body("contacts", name, account=account["id"]))
            check(other, turn, "contacts", name, contact)
            belongs = {"account": account["id"], "contacts": [{"contact": contact["id"]}]}
            deal = system.send("POST", "/deals", body("deals", name, stage=first, **belongs))
            check(other, turn, "deals", name, deal, first)
            moved = system.send("POST", f"/deals/{deal['id']}/change-stage", {"stage": second})
            check(other, turn, "deals", name, moved, second)
            system.send("DELETE", f"/deals/{deal['id']}")
            assert other.get(f"/deals/{deal['id']}")["archived"]


def stale(system: System, *paths: str, within: float) -> list[httpx.Response]:
    """What queries answer that can't be fresh, all of them at once: within so many seconds, and they say so."""
    with ThreadPoolExecutor(len(paths)) as pool:
        answers = list(pool.map(lambda path: system.client.get(f"/api/v1{path}"), paths))
    for answer in answers:
        assert answer.headers.get("ClientForge-Stale") == "true", answer.url
        assert answer.elapsed.total_seconds() < within
    return answers


def test_while_nothing_is_projected_queries_answer_in_time_and_say_that_they_are_stale(system):
    account = system.send("POST", "/accounts", body("accounts", f"{WORD} Before"))["id"]
    lists = ("/accounts", "/search?q=unheard", "/audit", "/analytics/pipeline", f"/accounts/{account}/timeline")
    system.wait_until_projected(30)
    with system.halted("worker", "sweeper"):
        unheard = system.send("POST", "/accounts", body("accounts", f"{WORD} Unheard"))["id"]
        *answers, missing = stale(system, *lists, f"/accounts/{unheard}", within=5 * PATIENCE)
        assert [answer.status_code for answer in answers] == [200] * len(lists)
        assert missing.status_code == 404
        assert unheard not in answers[0].text + answers[1].text
    system.wait_until_projected(30)
    assert system.get(f"/accounts/{unheard}")["name"] == f"{WORD} Unheard"
    assert [hit["id"] for hit in system.get("/search", q="unheard")["items"]] == [unheard]
    for path in lists:
        system.get(path)


def test_while_a_projection_is_parked_its_queries_say_that_they_are_stale_and_all_others_are_fresh(system, copied_urls):
    deal = body("deals", f"{WORD} Poison")
    with no_deal_named(deal["name"], copied_urls.superuser):
        poison = system.send("POST", "/deals", deal)["id"]
        system.wait_for_lags(lambda lags: lags["deals"].parked > 0, 30)
        *answers, missing = stale(system, "/deals", "/analytics/pipeline", f"/deals/{poison}", within=PATIENCE)
        assert [answer.status_code for answer in answers] == [200, 200]
        assert missing.status_code == 404
        assert [hit["id"] for hit in system.get("/search", q="poison")["items"]] == [poison]
        # Whose records one sees, these ask the lists: they have what happened, and say that the lists are behind.
        told = system.client.get("/api/v1/audit", params={"entity": "deal", "id": poison})
        assert len(told.json()["items"]) == 1
        assert len(system.client.get(f"/api/v1/deals/{poison}/timeline").json()["items"]) == 1
        system.get("/accounts")
    again = system.run("projections", "retry", "deals", "--tenant", TENANT)
    assert again.returncode == 0, again.stderr
    system.wait_until_projected(30)
    assert system.get(f"/deals/{poison}")["name"] == deal["name"]
    assert poison in {row["id"] for row in system.get("/deals")["items"]}
