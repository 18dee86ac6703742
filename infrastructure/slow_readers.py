"""Cuts off clients that ask and then hardly take what they are sent.

The server waits for ever until the kernel takes what it writes, and it tells nobody for how long. The kernel knows what
of a connection a client has acknowledged (TCP_INFO) and what still waits for it, whatever was sent: an answer, a
thousand small ones, or a download. It tells that on Linux; elsewhere a proxy in front must do this.
"""

import fcntl
import logging
import os
import socket
import stat
import struct
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

from msgspec import Struct

_ACKNOWLEDGED = 120
"""Where tcpi_bytes_acked, 64 bits, begins in struct tcp_info of <linux/tcp.h>: there since Linux 4.1."""
_INFO_BYTES = 192
_LOOKS = 4
"""How often each span is looked at."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: what still waits is dropped, or the kernel would go on keeping it for the client."""

log = logging.getLogger("clientforge.slow_readers")


class _Span(Struct, frozen=True):
    """Since when something has been waiting without a break, and what the client had acknowledged then."""

    began: float
    acknowledged: int


class SlowReaders:
    """Looks at all connections that this process has accepted at a port.

    Of what waits for it a client takes `bytes_per_second` × `seconds` within each span of `seconds`, or is cut off.
    Time in which nothing waits doesn't count, so whoever waits for us is never slow.
    """

    def __init__(self, port: int, *, seconds: float, bytes_per_second: int) -> None:
        self._port = port
        self._seconds = seconds
        self._least = bytes_per_second * seconds
        self._spans: dict[int, _Span] = {}

    def start(self) -> None:
        """Goes on in a thread until the process ends."""
        if sys.platform == "linux":
            threading.Thread(target=self._run, name="slow-readers", daemon=True).start()

    def look(self, now: float) -> int:
        """Looks once, at a time of time.monotonic(); how many were cut off."""
        spans, cut = {}, 0
        for connection in _accepted(self._port):
            with closing(connection), suppress(OSError):  # it may have gone meanwhile
                if not _waiting(connection):
                    continue
                # The inode, since the number of a file is given to the next one at once.
                known, acknowledged = os.fstat(connection.fileno()).st_ino, _acknowledged(connection)
                span = self._spans.get(known) or _Span(now, acknowledged)
                if now - span.began >= self._seconds:
                    if acknowledged - span.acknowledged < self._least:
                        _cut_off(connection)
                        cut += 1
                        continue
                    span = _Span(now, acknowledged)
                spans[known] = span
        self._spans = spans
        return cut

    def _run(self) -> None:
        while True:
            time.sleep(self._seconds / _LOOKS)
            try:
                if cut := self.look(time.monotonic()):
                    log.warning("clients that took too little of their answers were cut off", extra={"clients": cut})
            except OSError:
                log.exception("connections can't be looked at")


def _accepted(port: int) -> Iterator[socket.socket]:
    """This process's connections at a port, each as a socket that the caller closes; that closes no connection."""
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            found = socket.socket(fileno=os.dup(int(name)))
            if found.family in (socket.AF_INET, socket.AF_INET6) and found.getsockname()[1] == port:
                yield found
            else:
                found.close()


def _waiting(connection: socket.socket) -> int:
    """Bytes that were written and not acknowledged. Raises OSError for a socket that listens."""
    told = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
    return int.from_bytes(told, sys.byteorder)


def _acknowledged(connection: socket.socket) -> int:
    """Bytes that the client has acknowledged since the connection began."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    return int.from_bytes(info[_ACKNOWLEDGED : _ACKNOWLEDGED + 8], sys.byteorder)


def _cut_off(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.shutdown(socket.SHUT_RDWR)
