"""A relay between the system and a store, which can be cut: then the store is away, whatever it does itself."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from infrastructure.embedded.child import free_port


class Relay:
    """Relays TCP connections to the server of `server_url`; `url` is the same by way of the relay."""

    def __init__(self, server_url: str) -> None:
        parts = urlsplit(server_url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._server = parts.hostname, parts.port
        self._port = free_port()
        user, at, _ = parts.netloc.rpartition("@")
        self.url = parts._replace(netloc=f"{user}{at}127.0.0.1:{self._port}").geturl()
        self._relaying: _Relaying
        self._thread: Thread
        self._open()

    def close(self) -> None:
        """Ends all connections and refuses new ones."""
        self._relaying.shutdown()
        self._thread.join()
        self._relaying.server_close()

    @contextmanager
    def cut(self) -> Iterator[None]:
        """The server can't be reached meanwhile: connections are refused, and those that were there have ended."""
        self.close()
        try:
            yield
        finally:
            self._open()

    def _open(self) -> None:
        self._relaying = _Relaying(("127.0.0.1", self._port), self._server)
        self._thread = Thread(target=self._relaying.serve_forever, args=(0.02,))
        self._thread.start()


class _Relaying(ThreadingTCPServer):
    """Relays from its start until it is closed."""

    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], server: tuple[str, int]) -> None:
        super().__init__(address, _Connection)
        self.server = server
        self.clients: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Notes a client before its thread begins: none is missed when all of them are to end."""
        self.clients.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forgets a client that has ended."""
        self.clients.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Stops listening, ends all connections, and waits for their threads."""
        for client in list(self.clients):
            _end(client)
        super().server_close()


class _Connection(BaseRequestHandler):
    server: _Relaying

    def handle(self) -> None:
        """Relays in both directions until one side ends."""
        with suppress(OSError), socket.create_connection(self.server.server) as upstream:
            answers = Thread(target=_pump, args=(upstream, self.request))
            answers.start()
            _pump(self.request, upstream)
            answers.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    _end(source)
    _end(target)


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
