"""Who may read /metrics, what it tells of the process and its stores, and where it is read otherwise."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from infrastructure.embedded.child import free_port
from infrastructure.telemetry import Telemetry, forget_the_dead
from infrastructure.upkeep import Upkeep
from tests.api.doors import gone_redis, opened
from tests.api.served import Served, serving
from tests.api.stand import exposed, problem

TOKEN = "what only the scraper knows"


def test_with_a_token_only_who_knows_it_reads_the_metrics(application):
    from pydantic import SecretStr

    with opened(application, metrics_token=SecretStr(TOKEN)) as client:
        problem(client.get("/metrics"), 401, "invalid_token")
        problem(client.get("/metrics", headers={"Authorization": "Bearer another"}), 401, "invalid_token")
        problem(client.get("/metrics", headers={b"Authorization": "Bearer ünknown".encode()}), 401, "invalid_token")
        assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_production_shows_no_metrics_to_everybody(application):
    with opened(application, environment="production") as client:
        assert "METRICS_TOKEN" in problem(client.get("/metrics"), 404, "not_found")["detail"]


def test_the_stores_are_up_or_not(application, client):
    assert _stores(client.get("/metrics").text) == {"postgresql": 1, "redis": 1, "search": 1, "audit": 1}
    with opened(application, away=gone_redis()) as without_redis:
        assert _stores(without_redis.get("/metrics").text) == {"postgresql": 1, "redis": 0, "search": 1, "audit": 1}


def test_a_store_that_hangs_is_down_and_keeps_no_process_from_ending():
    asking = """
import time
from infrastructure.gauges import StoreGauges
[up] = StoreGauges({"search": lambda: time.sleep(300), "redis": bool}, patience=1).collect()
print({each.labels["store"]: each.value for each in up.samples})
"""
    told = subprocess.run([sys.executable, "-c", asking], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout == "{'search': 0.0, 'redis': 1.0}\n"


def test_a_process_tells_its_memory_its_time_and_its_connections(client, acme):
    acme.rep.makes("/accounts", {"name": "A"})
    text = client.get("/metrics").text
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"):
        assert _value(text, f'clientforge_{name}{{kind="api"}}') > 0
    assert abs(_value(text, 'clientforge_process_start_time_seconds{kind="api"}') - time.time()) < 7200
    assert _value(text, 'clientforge_pool_connections_limit{pool="application"}') >= 1
    assert _value(text, "clientforge_append_duration_seconds_count") >= 1


def test_upkeep_tells_how_long_ago_and_how_it_went(application, client):
    upkeep = Upkeep(application.redis, prefix=application.settings.redis_prefix)
    upkeep.note("chain_verification", well=True)
    upkeep.note("backup", well=False)
    text = client.get("/metrics").text
    assert 0 <= _value(text, 'clientforge_upkeep_age_seconds{task="chain_verification"}') < 60
    assert _value(text, 'clientforge_upkeep_ok{task="chain_verification"}') == 1
    assert _value(text, 'clientforge_upkeep_ok{task="backup"}') == 0


def test_every_gate_of_latency_is_a_bound_of_a_bucket():
    bounds = {float(each) for each in re.findall(r'http_request_duration_seconds_bucket{[^}]*le="([0-9.]+)"', _timed())}
    assert {0.02, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8} <= bounds


def test_the_gauges_of_a_killed_process_are_forgotten_and_its_counters_are_not(tmp_path):
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    gone = [tmp_path / f"gauge_livesum_{int(ended.stdout)}.db", tmp_path / f"counter_{int(ended.stdout)}.db"]
    init = tmp_path / "gauge_livesum_1.db"
    for each in (*gone, init):
        each.touch()
    forget_the_dead(tmp_path)
    assert [each.exists() for each in (*gone, init)] == [False, True, True]


@pytest.fixture(scope="module")
def port_of_serve(api_settings, application, tmp_path_factory) -> Iterator[tuple[Served, int]]:
    """A server with two processes, and the port at which it is read besides."""
    port = free_port()
    others = {"API_PROCESSES": "2", "METRICS_PORT": str(port)}
    with serving(api_settings, tmp_path_factory.mktemp("scraped"), **others) as served:
        yield served, port


def test_the_port_of_serve_shows_what_is_read_when_it_is_asked(port_of_serve):
    served, port = port_of_serve
    text = _read(port, "clientforge_queue_depth{", served.process)
    assert _stores(text) == {"postgresql": 1, "redis": 1, "search": 1, "audit": 1}
    for name in ("monitor_up", "queue_up"):
        assert _value(text, f"clientforge_{name}") == 1
    shown = httpx.get(f"{served.url}/metrics").text
    assert _names(text) == _names(shown)


def test_the_port_of_serve_forgets_a_process_that_was_killed(port_of_serve):
    served, port = port_of_serve
    youngest = 'clientforge_process_start_time_seconds{kind="api"}'
    before = _read(port, 'clientforge_processes{kind="api"} 2.0', served.process)
    served.workers()[0].kill()
    deadline = time.monotonic() + 60
    while _value(text := _read(port, youngest, served.process), youngest) == _value(before, youngest):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert _value(text, 'clientforge_processes{kind="api"}') == 2


@pytest.mark.parametrize("process", ["worker", "sweeper"])
def test_a_worker_and_a_sweeper_are_read_at_a_port_of_their_own(process, urls, redis_url, api_settings, tmp_path):
    port = free_port()
    environment = {
        "DATABASE_URL": urls.app,
        "DATABASE_MONITOR_URL": urls.monitor,
        "REDIS_URL": redis_url,
        "REDIS_PREFIX": "{scraped}",
        "JWT_SECRET": api_settings.jwt_secret.get_secret_value(),
        "MASTER_KEY": api_settings.master_key.get_secret_value(),
        "METRICS_PORT": str(port),
    }
    started = subprocess.Popen(
        [sys.executable, "-m", "api.commandline", process], env={**_path(), **environment}, cwd=tmp_path
    )
    try:
        memory = f'clientforge_process_resident_memory_bytes{{kind="{process}"}}'
        text = _read(port, memory, started)
        assert _value(text, memory) > 0
        _read(port, f'clientforge_processes{{kind="{process}"}} 1.0', started)
    finally:
        started.terminate()
        code = started.wait(30)
    assert code == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def _read(port: int, wanted: str, process: subprocess.Popen[bytes]) -> str:
    deadline, text = time.monotonic() + 60, ""
    while wanted not in text:
        assert time.monotonic() < deadline, text
        assert process.poll() is None
        time.sleep(0.1)
        try:
            text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        except httpx.TransportError:
            continue
    return text


def _path() -> dict[str, str]:
    import os

    return {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME") if name in os.environ}


def _timed() -> str:
    telemetry = Telemetry()
    telemetry.request_seconds.labels("GET", "/somewhere").observe(0.1)
    return telemetry.exposition().decode()


def _names(text: str) -> set[str]:
    return set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))


def _stores(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(r'clientforge_store_up{store="(\w+)"} (\S+)', text)}


def _value(text: str, series: str) -> float:
    found = exposed(text, series)
    assert found is not None, series
    return found
