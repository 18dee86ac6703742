"""The deployment's HAProxy in front of something that tells what it was asked."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from infrastructure.embedded.child import free_port
from tests.deployment.fleet import Proxy
from tests.deployment.probes import is_healthy
from tests.deployment.proxying import adapted


class Asked(BaseHTTPRequestHandler):
    """Answers with the headers that it got."""

    def do_GET(self) -> None:
        body = json.dumps(dict(self.headers)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def ports(haproxy_program, tmp_path_factory) -> Iterator[tuple[int, int, ssl.SSLContext]]:
    """The proxy's ports for HTTP and HTTPS, and whom to trust."""
    place = tmp_path_factory.mktemp("proxy")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    http, https = free_port(), free_port()
    proxy = Proxy(haproxy_program, adapted(place, http=http, https=https, servers=[server.server_port]), place, https)
    try:
        checked = proxy.check()
        assert checked.returncode == 0, checked.stderr
        assert "WARNING" not in checked.stderr
        with proxy:
            yield http, https, ssl.create_default_context(cafile=str(place / "server.pem"))
    finally:
        server.shutdown()
        server.server_close()


def test_plain_http_is_sent_to_https(ports):
    answer = httpx.get(f"http://localhost:{ports[0]}/api/v1/contacts?limit=1")
    told = (answer.status_code, answer.headers["location"])
    assert told == (308, f"https://localhost:{ports[0]}/api/v1/contacts?limit=1")


def test_answers_demand_https_from_then_on_and_clients_are_not_believed(ports):
    with httpx.Client(verify=ports[2]) as client:
        answer = client.get(f"https://localhost:{ports[1]}/", headers={"X-Forwarded-For": "203.0.113.9"})
    assert answer.headers["strict-transport-security"].startswith("max-age=63072000")
    told = {name.lower(): value for name, value in answer.json().items()}
    assert (told["x-forwarded-for"], told["x-forwarded-proto"]) == ("127.0.0.1", "https")


def test_metrics_are_not_there(ports):
    with httpx.Client(verify=ports[2]) as client:
        for path in ("/metrics", "/metrics/", "//metrics", "/%6Detrics"):
            asked = client.build_request("GET", f"https://localhost:{ports[1]}/")
            asked.url = asked.url.copy_with(raw_path=path.encode())
            assert client.send(asked).status_code == 404, path


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_versions_of_tls_are_refused(ports):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.minimum_version = ssl.TLSVersion.TLSv1
    refused = pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION")
    with socket.create_connection(("127.0.0.1", ports[1])) as connection, refused:
        context.wrap_socket(connection)


def test_who_dawdles_over_a_request_is_cut_off(ports):
    plain = socket.create_connection(("127.0.0.1", ports[1]), timeout=20)
    with plain, ports[2].wrap_socket(plain, server_hostname="localhost") as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
        started = time.monotonic()
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")
        assert 8 < time.monotonic() - started < 15


def test_its_health_check_is_answered_by_the_process(ports):
    assert is_healthy("proxy", 8080, ports[0])
    assert not is_healthy("proxy", 8080, free_port())
