"""Each process of a fleet is restarted under load: no request fails, no message is lost."""

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest

from infrastructure.embedded.child import free_port
from tests.deployment.fleet import Instance, Proxy
from tests.deployment.proxying import adapted
from tests.journeys.system import System, environment

TENANT = "rolling"
DRAIN_SECONDS = 4
"""The deployment's own are 10: the proxy notices within two."""
BATCH = 10


@dataclass
class Load:
    """Clients that create accounts and read through the proxy, over connections that they keep."""

    url: str
    trust: ssl.SSLContext
    token: str
    created: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    answered: int = 0

    def __enter__(self) -> "Load":
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(4)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(60)

    def _run(self, number: int) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        with httpx.Client(base_url=self.url, verify=self.trust, headers=headers, timeout=30) as client:
            turn = 0
            while not self._ended.is_set():
                turn += 1
                self._ask(client, "POST", "/api/v1/accounts", {"name": f"Account {number}-{turn}"})
                self._ask(client, "GET", "/api/v1/accounts?limit=5", None)
                time.sleep(0.02)

    def _ask(self, client: httpx.Client, method: str, path: str, body: object) -> None:
        try:
            answer = client.request(method, path, json=body)
        except httpx.HTTPError as error:
            self.failures.append(f"{time.strftime('%X')} {method}: {error!r}")
            return
        self.answered += 1
        if not answer.is_success:
            self.failures.append(f"{time.strftime('%X')} {method}: {answer.status_code} {answer.text[:200]}")
        elif method == "POST":
            self.created.append(answer.json()["id"])


@dataclass
class Fleet:
    """Two APIs behind the proxy, two workers and a sweeper."""

    apis: list[Instance]
    workers: list[Instance]
    sweeper: Instance
    system: System
    place: Path
    https: int
    database: str

    def load(self) -> Load:
        """A load as the admin."""
        token = self.system.client.headers["Authorization"].removeprefix("Bearer ")
        trust = ssl.create_default_context(cafile=str(self.place / "server.pem"))
        return Load(f"https://localhost:{self.https}", trust, token)


@pytest.fixture
def fleet(copied_urls, redis_url, elasticsearch_url, mongodb_url, haproxy_program, tmp_path) -> Iterator[Fleet]:
    """A running fleet with a tenant."""
    variables = {
        **environment(copied_urls, redis_url, elasticsearch_url, mongodb_url),
        "DRAIN_SECONDS": str(DRAIN_SECONDS),
        "PROJECTION_BATCH": str(BATCH),
        # Reads don't wait long for workers that are held up.
        "READ_YOUR_WRITES_SECONDS": "0.5",
        "RETRY_BASE_SECONDS": "0.2",
    }
    with ExitStack() as stack:

        def run(command: str, **others: str) -> Instance:
            instance = Instance(command, {**variables, **others}, tmp_path)
            stack.callback(instance.end)
            return instance

        apis = [run("serve", PORT=str(free_port())) for _ in range(2)]
        ports = [str(free_port()) for _ in range(3)]
        kinds = ("worker", "worker", "sweeper")
        *workers, sweeper = [run(kind, PORT=port, METRICS_PORT=port) for kind, port in zip(kinds, ports, strict=True)]
        system = System({**variables, "PORT": apis[0].url.rsplit(":", 1)[1]}, tmp_path)
        stack.enter_context(closing(system.client))
        for each in (*apis, *workers, sweeper):
            each.wait_until_ready("/ready" if each in apis else "/metrics")
        system.make_tenant("Rolling Inc.", TENANT)
        https = free_port()
        servers = [int(each.url.rsplit(":", 1)[1]) for each in apis]
        configuration = adapted(tmp_path, http=free_port(), https=https, servers=servers)
        stack.enter_context(Proxy(haproxy_program, configuration, tmp_path, https))
        yield Fleet(apis, workers, sweeper, system, tmp_path, https, copied_urls.superuser)


@contextmanager
def held_up(fleet: Fleet) -> Iterator[None]:
    """The workers finish no batch meanwhile."""
    for worker in fleet.workers:
        worker.wait_until_it_says(b'"projected"', worker.said())
    with psycopg.connect(fleet.database) as connection:
        connection.execute("LOCK TABLE projection_checkpoints IN EXCLUSIVE MODE")
        yield


def wait_for_work(load: Load) -> None:
    """Returns when there is more to do than the batches that workers have at hand."""
    enough = len(load.created) + 6 * BATCH
    deadline = time.monotonic() + 90
    while len(load.created) < enough:
        assert time.monotonic() < deadline, load.failures[:5]
        time.sleep(0.1)


def ask_to_stop(worker: Instance) -> None:
    """Returns when the worker begins nothing more; it waits for the batch at hand."""
    said = worker.said()
    worker.ask_to_stop()
    worker.wait_until_it_says(b"Shutting down", said)


@pytest.mark.timeout(400)
def test_each_process_is_restarted_under_load_without_a_failed_request_or_a_lost_message(fleet: Fleet):
    with ExitStack() as held:
        with fleet.load() as load:
            time.sleep(2)
            for api in fleet.apis:
                api.restart()
                time.sleep(2)
            for worker in fleet.workers:
                worker.restart("/metrics")
            # Neither the sweeper nor a later event's message may make up for one that is lost.
            fleet.sweeper.stop_well()
            held.enter_context(held_up(fleet))
            wait_for_work(load)
        for worker in fleet.workers:
            ask_to_stop(worker)
    for worker in fleet.workers:
        worker.wait_until_ended_well()
    fleet.system.wait_for_lags(lambda lags: all(each.tenants for each in lags.values()), 0)
    for worker in fleet.workers:
        worker.start("/metrics")
    fleet.system.wait_until_projected(60)
    fleet.sweeper.start("/metrics")
    assert not load.failures, (load.failures[:5], len(load.failures), load.answered)
    assert len(load.created) > 100
    stored = {each["id"] for each in fleet.system.all("/accounts")}
    assert set(load.created) <= stored
    assert len(stored) == len(load.created)
    queues = fleet.system.run("queue", "health")
    assert queues.returncode == 0, queues.stdout + queues.stderr
