"""A server that answers everything with one status: a store that is there and refuses work."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@contextmanager
def answering(
    status: int,
    body: bytes = b'{"error": {"type": "unwell"}}',
    received: list[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = 0,
) -> Iterator[str]:
    """The URL of a server that answers with this status and body after `seconds`, and notes what it receives."""
    bodies = [] if received is None else received

    class Handler(BaseHTTPRequestHandler):
        def do_any(self) -> None:
            bodies.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            time.sleep(seconds)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("X-Elastic-Product", "Elasticsearch")
            self.send_header("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Nothing: what is asked is not what is tested."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
