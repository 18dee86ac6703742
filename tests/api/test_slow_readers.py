"""Clients of a running server that ask for much and take next to nothing."""

import socket
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from infrastructure.settings import Settings
from tests.api.served import Served, serving

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other kernels don't tell what a client took")


@pytest.fixture(scope="module")
def served(api_settings: Settings, application, tmp_path_factory) -> Iterator[Served]:
    """A server that has little patience with slow readers."""
    place = tmp_path_factory.mktemp("slow-readers")
    with serving(api_settings, place, ANSWER_SECONDS="4", REQUEST_HEADER_SECONDS="60") as served:
        yield served


def _held(served: Served, clients: list[socket.socket]) -> int:
    """How many of these clients' connections the server still has."""
    ports = {each.getsockname()[1] for each in clients}
    [worker] = served.workers()
    return sum(getattr(each.raddr, "port", None) in ports for each in worker.net_connections("tcp"))


@pytest.mark.parametrize("path", ["/api/openapi.json", "/live"])
def test_clients_that_ask_for_much_and_take_next_to_nothing_are_cut_off(served, path):
    asked = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    clients = [socket.create_connection(served.address, timeout=1) for _ in range(10)]
    try:
        for client in clients:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 10_000_000)
            client.setblocking(False)
            client.send(asked * (50 if "openapi" in path else 20_000))
        time.sleep(1)
        assert _held(served, clients) == len(clients)
        deadline = time.monotonic() + 60
        while _held(served, clients) and time.monotonic() < deadline:
            for client in clients:
                _take_a_byte(client)
            time.sleep(0.5)
        assert _held(served, clients) == 0
    finally:
        for client in clients:
            client.close()
    assert httpx.get(f"{served.url}/live").status_code == 200


def _take_a_byte(client: socket.socket) -> None:
    try:
        client.recv(1)
    except (BlockingIOError, ConnectionResetError):
        return


def test_a_client_that_takes_slowly_but_steadily_gets_all_of_it(served):
    whole = len(httpx.get(f"{served.url}/api/openapi.json").content)
    with socket.create_connection(served.address, timeout=10) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(b"GET /api/openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        started, taken = time.monotonic(), b""
        while piece := client.recv(max(whole // 40, 10_000)):
            taken += piece
            time.sleep(0.4)
    assert len(taken) > whole
    assert time.monotonic() - started > 12  # three of its spans
