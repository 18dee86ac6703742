"""HTTP at 32 connections: reading one record, a list, a search and a new contact, beside handlers that do next to
nothing. Both serve with two processes; the generator of the load runs on the same machine."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec

from infrastructure.embedded.child import free_port
from tests.fixtures import DatabaseUrls
from tests.journeys.system import EMAIL, PASSWORD, System, environment, running
from tests.performance.load import Load, Requests, run
from tests.performance.report import Figure, Result

PROCESSES = 2
TENANT = "served"
ACCOUNTS = 500


def measure(urls: DatabaseUrls, stores: tuple[str, str, str], place: Path) -> Result:
    """Requests per second, and latencies in milliseconds."""
    variables = {**environment(urls, *stores), "API_PROCESSES": str(PROCESSES), "LOG_LEVEL": "warning"}
    with running(variables, place) as system:
        tenant, ids = _prepare(system)
        port = int(variables["PORT"])
        ours = {name: run(port, requests) for name, requests in _requests(system, ids).items()}
    with _ceiling(variables, place) as port:
        ceilings = {
            "a single SELECT": run(port, Requests("GET", [f"/one/{tenant}/{id}" for id in ids])),
            "a single append": run(port, Requests("POST", [f"/append/{tenant}"])),
        }
    return Result([figure for name, load in {**ours, **ceilings}.items() for figure in _figures(name, load)])


def _figures(name: str, load: Load) -> list[Figure]:
    if load.failed:
        raise RuntimeError(f"{name}: {load.failed} requests failed")
    return [
        Figure(f"HTTP, 32 connections, {name}", load.rate, "requests/s"),
        Figure(f"HTTP, 32 connections, {name}, median", load.p50, "ms"),
        Figure(f"HTTP, 32 connections, {name}, p99", load.p99, "ms"),
    ]


def _prepare(system: System) -> tuple[str, list[str]]:
    """A tenant with accounts; its id and theirs."""
    for command in (
        ("tenant", "create", "Served Inc.", "--subdomain", TENANT, "--plan", "custom", "--max-users", "0"),
        ("seed", "admin", "--tenant", TENANT, "--email", EMAIL, "--password", PASSWORD),
    ):
        done = system.run(*command)
        if done.returncode:
            raise RuntimeError(done.stderr)
    system.log_in(TENANT)
    ids = []
    for number in range(ACCOUNTS):
        body = {"name": f"{word(number)} {word(number + 1)} Ltd", "industry": "technology"}
        ids.append(system.client.post("/api/v1/accounts", json=body).raise_for_status().json()["id"])
    system.wait_until_projected(60)
    return system.get("/auth/me")["tenant"]["id"], ids


def _requests(system: System, ids: list[str]) -> dict[str, Requests]:
    headers = {"Authorization": system.client.headers["Authorization"]}
    contact = {"first_name": "Ada", "last_name": "Lovelace"}
    bodies = [
        msgspec.json.encode({**contact, "emails": [{"address": f"ada-{number}@example.com"}]})
        for number in range(50_000)
    ]
    return {
        "GET one": Requests("GET", [f"/api/v1/accounts/{id}" for id in ids], headers=headers),
        "list of 50": Requests("GET", ["/api/v1/accounts?limit=50"], headers=headers),
        "search": Requests(
            "GET",
            [f"/api/v1/search?q={word(number)}%20{word(number + 1)[:4]}&types=account" for number in range(ACCOUNTS)],
            headers=headers,
        ),
        "POST contact": Requests("POST", ["/api/v1/contacts"], bodies, headers),
    }


def word(number: int) -> str:
    """A word that can be pronounced, another for each number below 216,000."""
    syllables = [f"{consonant}{vowel}" for consonant in "bdfgklmnprst" for vowel in "aeiou"]
    rest = number * 7919 % 60**3  # 7919 has no factor in common with 60: neighbours differ, and nothing repeats
    return "".join(syllables[rest // 60**place % 60] for place in range(3)).capitalize()


@contextmanager
def _ceiling(variables: dict[str, str], place: Path) -> Iterator[int]:
    port = free_port()
    with (place / "ceiling.log").open("wb") as log:
        command = [sys.executable, "-m", "tests.performance.ceiling", str(port), str(PROCESSES)]
        process = subprocess.Popen(command, env=variables, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while not _answers(port):
            if time.monotonic() > deadline:
                raise TimeoutError((place / "ceiling.log").read_text())
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _answers(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/")
    except httpx.TransportError:
        return False
    return True
