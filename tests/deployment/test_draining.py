"""`clientforge serve` before it stops."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from infrastructure.embedded.child import free_port
from tests.commandline.conftest import environment  # noqa: F401 - a fixture
from tests.deployment.fleet import Instance


@pytest.fixture
def serving(environment, tmp_path) -> Iterator[Callable[[int], Instance]]:  # noqa: F811
    """Starts an API that serves on for so many seconds."""
    with ExitStack() as stack:

        def start(seconds: int) -> Instance:
            variables = {**environment, "PORT": str(free_port()), "DRAIN_SECONDS": str(seconds), "API_PROCESSES": "2"}
            instance = Instance("serve", variables, tmp_path)
            stack.callback(instance.end)
            instance.wait_until_ready()
            return instance

        yield start


def told_when_draining(client: httpx.Client) -> httpx.Response:
    """What /ready answers as soon as that isn't that all is well."""
    deadline = time.monotonic() + 30
    while (ready := client.get("/ready")).status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return ready


def test_who_drains_says_so_answers_still_and_finishes_what_is_under_way(serving):
    api = serving(5)
    host, port = "127.0.0.1", int(api.url.rsplit(":", 1)[1])
    body = b'{"email": "nobody@example.com", "password": "not the right one", "tenant": "nowhere"}'
    with httpx.Client(base_url=api.url) as client, socket.create_connection((host, port), timeout=30) as slow:
        assert "connection" not in client.get("/live").headers
        slow.sendall(
            b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body[:10])
        )
        time.sleep(0.3)
        asked = time.monotonic()
        api.process.terminate()
        ready = told_when_draining(client)
        assert (ready.status_code, ready.json()["status"]) == (503, "draining")
        answer = client.get("/live")
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        while time.monotonic() - asked < 6.5:
            time.sleep(0.1)
        assert api.process.poll() is None
        slow.sendall(body[10:])
        assert slow.recv(1000).startswith(b"HTTP/1.1 401 ")
    assert api.process.wait(60) == 0


def test_a_second_signal_stops_it_at_once(serving):
    api = serving(150)
    api.process.terminate()
    with httpx.Client(base_url=api.url) as client:
        assert told_when_draining(client).status_code == 503
    api.process.terminate()
    assert api.process.wait(60) == 0
