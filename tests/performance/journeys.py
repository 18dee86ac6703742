"""The running system: how soon a single write is visible in each store, and how long a year of sales takes."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from tests.fixtures import DatabaseUrls
from tests.journeys.sales import DATA, TENANT, import_all
from tests.journeys.system import EMAIL, PASSWORD, System, environment, running
from tests.performance.report import Figure, Gate, Result
from tests.performance.serving import word

WRITES = 200
REST_SECONDS = 0.1

Look = Callable[[System, str, str], bool]


def measure(urls: DatabaseUrls, stores: tuple[str, str, str], place: Path) -> Result:
    """Idle-to-visible latencies of single writes, in milliseconds, and the import of the year, in seconds."""
    with running(environment(urls, *stores), place) as system:
        system.run("tenant", "create", "Hardware Inc.", "--subdomain", TENANT, "--max-users", "0")
        system.run("seed", "admin", "--tenant", TENANT, "--email", EMAIL, "--password", PASSWORD)
        system.log_in(TENANT)
        visible, gates = _visibility(system)
        figures, imported = _year(system) if DATA.exists() else ([], [])
        return Result([*visible, *figures], [*gates, *imported])


def _visibility(system: System) -> tuple[list[Figure], list[Gate]]:
    figures, gates = [], []
    for store, look in (("PostgreSQL", _in_list), ("Elasticsearch", _in_search), ("MongoDB", _in_audit)):
        _until_visible(system, f"First {store}", look)  # makes what is made once, an index for one
        taken = [_until_visible(system, f"{word(number)} {store}", look) for number in range(WRITES)]
        figures.append(Figure(f"idle to visible, {store}, median", statistics.median(taken), "ms"))
        p99 = statistics.quantiles(taken, n=100)[98]
        gates.append(Gate(f"idle to visible, {store}, p99 in ms", p99, at_most=100))
    return figures, gates


def _until_visible(system: System, name: str, look: Look) -> float:
    """Milliseconds from the answer of a write to an answer that shows it; the query itself waits for it. Before the
    write, everything has come to rest."""
    time.sleep(REST_SECONDS)
    written = system.client.post("/api/v1/accounts", json={"name": name}).raise_for_status().json()["id"]
    start = time.perf_counter()
    while not look(system, written, name):
        if time.perf_counter() - start > 10:
            raise TimeoutError(f"{name} is not visible after 10 s")
    return (time.perf_counter() - start) * 1000


def _in_list(system: System, id: str, _name: str) -> bool:
    return bool(system.get(f"/accounts/{id}")["id"] == id)


def _in_search(system: System, id: str, name: str) -> bool:
    return any(hit["id"] == id for hit in system.get("/search", q=name, types="account")["items"])


def _in_audit(system: System, id: str, _name: str) -> bool:
    return len(system.get("/audit", entity="account", id=id)["items"]) == 1


def _year(system: System) -> tuple[list[Figure], list[Gate]]:
    start = time.monotonic()
    import_all(system)
    imported = time.monotonic() - start
    system.wait_until_projected(300)
    projected = time.monotonic() - start
    again = import_all(system)
    return [Figure("a year of sales, imported", imported, "s")], [
        Gate("a year of sales, first command to last checkpoint, in s", projected, at_most=30),
        Gate("a year of sales, imported again, in s", again, at_most=10),
    ]
