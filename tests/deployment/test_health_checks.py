"""The health checks of the compose files ask a process, each at the port at which it listens."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from infrastructure.embedded.child import free_port
from tests.deployment.compose import listening, number, production
from tests.deployment.probes import is_healthy

UNPROBED = {
    **dict.fromkeys(("migrate", "backup", "recovery"), "ends when its work is done"),
    "redis-exporter": "its image has neither a shell nor a client",
    "mongodb-exporter": "its image has neither a shell nor a client",
}
"""The services without a health check, and why."""


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """Those of both files together."""
    found: dict[str, Any] = production({})["services"]
    return found


def test_every_service_has_a_health_check_or_a_reason_to_have_none(services):
    assert {name for name, service in services.items() if not service["healthcheck"].get("test")} == UNPROBED.keys()


def test_each_asks_at_the_port_at_which_the_process_listens(services):
    ports = listening(services)
    for name in services.keys() - UNPROBED.keys():
        check = " ".join(services[name]["healthcheck"]["test"])
        assert number(r"(?:127\.0\.0\.1[:/]|-p |--port )(\d+)\b", check) in ports[name], name


class Alloy(BaseHTTPRequestHandler):
    """Says whether it is ready, as Alloy does."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/-/ready" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_that_of_alloy_asks_whether_it_is_ready(monkeypatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), Alloy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert is_healthy("alloy", 12345, server.server_port)
        monkeypatch.setattr(Alloy, "status", 503)
        assert not is_healthy("alloy", 12345, server.server_port)
        server.shutdown()
    assert not is_healthy("alloy", 12345, free_port())
