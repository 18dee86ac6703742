"""Addresses where a service should be: a closed port, and a server that takes connections and never says a word."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from infrastructure.embedded.child import free_port


def closed_port() -> str:
    """The address of a port that nobody listens on."""
    return f"127.0.0.1:{free_port()}"


@contextmanager
def black_hole() -> Iterator[str]:
    """The address of a server that accepts, and never answers."""
    connections: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connections.append(connection)

    server = socket.create_server(("127.0.0.1", 0))
    thread = Thread(target=accept)
    thread.start()
    try:
        yield f"127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()
        for each in connections:
            each.close()
