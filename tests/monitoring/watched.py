"""A running system as production has it watched: API, worker and sweeper each with a port of its own, under a load."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import redis

from infrastructure.embedded.child import free_port
from infrastructure.upkeep import Upkeep
from infrastructure.wakeups import QUEUE
from tests.fixtures import DatabaseUrls
from tests.journeys.poison import no_deal_named
from tests.journeys.reading import body
from tests.journeys.relay import Relay
from tests.journeys.system import PROCESSES, System, environment, running

TENANT = "watched"
TOKEN = "what the scraper knows"
JOBS = {"serve": "api", "worker": "worker", "sweeper": "sweeper"}
# What fails is parked at once. Nothing read is stale on a busy machine either, but where nothing is projected at all.
_PACE = {"RETRY_LIMIT": "0", "RETRY_BASE_SECONDS": "0.1", "READ_YOUR_WRITES_SECONDS": "10"}


@dataclass
class Watched:
    """The system, the store of its search behind a relay, and at which port each of its jobs is scraped."""

    system: System
    processes: Mapping[str, System]
    ports: Mapping[str, int]
    search: Relay
    superuser_url: str = field(repr=False)

    def scraped(self) -> list[str]:
        """The metrics of each job."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        urls = [f"http://127.0.0.1:{port}/metrics" for port in self.ports.values()]
        return [httpx.get(url, headers=headers).raise_for_status().text for url in urls]

    @contextmanager
    def halted(self) -> Iterator[None]:
        """Nothing is projected meanwhile."""
        with self.processes["worker"].halted("worker"), self.processes["sweeper"].halted("sweeper"):
            yield

    @property
    def redis(self) -> redis.Redis:
        """Its Redis."""
        return redis.Redis.from_url(self.system.variables["REDIS_URL"])

    @property
    def prefix(self) -> str:
        """What its keys in Redis begin with."""
        return self.system.variables["REDIS_PREFIX"]

    def forget_the_queue(self) -> None:
        """Deletes the messages that wait."""
        with self.redis as client:
            client.delete(f"{self.prefix}:{QUEUE}", f"{self.prefix}:{QUEUE}.msgs")


@contextmanager
def watched(urls: DatabaseUrls, redis_url: str, search: Relay, mongodb_url: str, place: Path) -> Iterator[Watched]:
    """Starts the system; one process at a time, so that each is given its own port."""
    common = {**environment(urls, redis_url, search.url, mongodb_url), **_PACE, "METRICS_TOKEN": TOKEN}
    ports = {"api": int(common["PORT"]), "worker": free_port(), "sweeper": free_port()}
    started: dict[str, System] = {}
    with ExitStack() as stack:
        for name in PROCESSES:
            port = {} if name == "serve" else {"METRICS_PORT": str(ports[JOBS[name]])}
            (place / name).mkdir()
            started[name] = stack.enter_context(running({**common, **port}, place / name, (name,)))
        started["serve"].make_tenant("Watched Inc.", TENANT)
        yield Watched(started["serve"], started, ports, search, urls.superuser)


def put_a_load_on(watched: Watched) -> None:
    """Has everything happen at least once that is counted only when it happens."""
    system = watched.system
    for number in range(5):
        account = system.send("POST", "/accounts", body("accounts", f"Load {number}"))["id"]
        system.send("PATCH", f"/accounts/{account}", {"phone": f"+49 30 {number}"})
        system.get(f"/accounts/{account}")
        system.get("/search", q="load")
        system.get("/audit")
    system.wait_until_projected(30)
    _fail(system)
    with watched.halted():
        system.send("POST", "/accounts", body("accounts", "Not Projected"))
        assert "ClientForge-Stale" in system.client.get("/api/v1/accounts").headers
    with watched.search.cut():
        assert system.client.get("/api/v1/search", params={"q": "load"}).status_code == 503
    assert system.run("events", "verify").returncode == 0
    with watched.redis as client:
        # The commands that do the other tasks note them in the same way.
        for task in ("backup", "recovery_drill"):
            Upkeep(client, prefix=watched.prefix).note(task, well=True)
    park(watched)


def _fail(system: System) -> None:
    assert system.client.get("/api/v1/accounts/nobody").status_code == 404
    nobody: dict[str, Any] = {"email": "nobody@example.com", "password": "another password", "tenant": TENANT}
    assert system.client.post("/api/v1/auth/login", json=nobody).status_code == 401


def park(watched: Watched) -> None:
    """Leaves the projection of deals parked for the tenant."""
    deal = body("deals", "Poisoned Deal")
    with no_deal_named(deal["name"], watched.superuser_url):
        watched.system.send("POST", "/deals", deal)
        watched.system.wait_for_lags(lambda lags: lags["deals"].parked > 0, 30)
