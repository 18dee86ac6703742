"""`clientforge serve` itself: processes of its own, one log, counts of all of them, and an end without loss."""

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator

import httpx
import psutil
import pytest

from domain.permissions import Role
from infrastructure.settings import Settings
from tests.api.served import Served, serving
from tests.api.stand import API, PASSWORD, Company


@pytest.fixture(scope="module")
def served(api_settings: Settings, application, tmp_path_factory) -> Iterator[Served]:
    """A server with two processes, over the same stores as the tests' own API."""
    place = tmp_path_factory.mktemp("served")
    with serving(api_settings, place, API_PROCESSES="2", REQUEST_HEADER_SECONDS="1") as served:
        yield served


def test_what_one_process_wrote_another_reads_at_once(served, acme: Company):
    bearer = {"Authorization": f"Bearer {acme.rep.token}"}
    made = acme.rep.makes("/accounts", {"name": "Written by the tests' own process"})
    answer = httpx.get(f"{served.url}{API}/accounts/{made}", headers=bearer)
    assert (answer.status_code, answer.headers.get("clientforge-stale")) == (200, None)
    created = httpx.post(f"{served.url}{API}/accounts", json={"name": "Written by serve"}, headers=bearer)
    assert created.status_code == 201
    assert acme.rep.get(created.headers["location"]).json()["name"] == "Written by serve"


def test_log_in_over_a_real_connection(served, acme: Company):
    person = acme.hires(Role.VIEWER)
    assert acme.admin.post(f"/users/{person.id}/set-password", {"password": PASSWORD}).status_code == 204
    body = {"email": person.email, "password": PASSWORD, "tenant": acme.profile.subdomain}
    answer = httpx.post(f"{served.url}{API}/auth/login", json=body)
    assert answer.status_code == 200
    bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert httpx.get(f"{served.url}{API}/auth/me", headers=bearer).json()["email"] == person.email


def test_nobody_learns_what_serves(served):
    answer = httpx.get(f"{served.url}/ready")
    assert answer.headers.get_list("server") == ["clientforge"]
    assert "granian" not in str(answer.headers).lower()


def test_a_client_that_dawdles_over_its_headers_is_cut_off(served):
    host, _, port = served.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\n")
        started = time.monotonic()
        while connection.recv(1000):
            pass
        assert 0.5 < time.monotonic() - started < 15


def test_a_body_in_chunks_is_measured_while_it_comes(served, acme: Company):
    headers = {"Authorization": f"Bearer {acme.rep.token}", "Content-Type": "application/json"}
    answer = httpx.post(f"{served.url}{API}/accounts", content=(b" " * 1_001 for _ in range(1_000)), headers=headers)
    assert answer.request.headers["transfer-encoding"] == "chunked"
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_metrics_count_all_processes_whichever_answers(served):
    asked = 40
    series = 'clientforge_http_requests_total{method="GET",route="/live",status="200"}'
    with httpx.Client(base_url=served.url) as client:
        for _ in range(asked):
            client.get("/live", headers={"Connection": "close"})
        for _ in range(5):
            lines = client.get("/metrics", headers={"Connection": "close"}).text.splitlines()
            [line] = [line for line in lines if line.startswith(series)]
            assert float(line.split()[-1]) == asked


def test_the_log_is_json_lines(served):
    httpx.get(f"{served.url}/live", headers={"X-Request-Id": "seek-me"})
    deadline = time.monotonic() + 5
    while "seek-me" not in served.log.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    lines = [json.loads(line) for line in served.log.read_text().splitlines()]
    [line] = [each for each in lines if each.get("request") == "seek-me"]
    assert (line["route"], line["status"], line["logger"]) == ("/live", 200, "clientforge.access")


def test_a_process_that_dies_is_replaced(served):
    victim = served.workers()[0]
    victim.kill()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        now = served.workers()
        if victim not in now and len(now) == 2 and httpx.get(f"{served.url}/live").status_code == 200:
            return
        time.sleep(0.1)
    pytest.fail(served.log.read_text())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_no_process_outlives_a_killed_server(served):
    """The last test of this file: it leaves nothing to ask."""
    workers = served.workers()
    os.kill(served.process.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert alive == []
