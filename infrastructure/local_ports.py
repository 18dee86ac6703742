"""Whether a port of this machine is free to listen at."""

import socket


class PortTaken(Exception):
    """Another program listens on the port."""


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError:
            return False
    return True


def refuse_taken_port(port: int, host: str, *, chosen_by: str) -> None:
    """Raises PortTaken where a server couldn't listen; `chosen_by` is the option or setting of the port."""
    if not is_free(port, host):
        raise PortTaken(f"Port {port} of {host} is taken by another program. Choose another one with {chosen_by}.")
