"""A server that is asked to stop says so first: balancers look elsewhere, and connections close one by one.

Stopping at once would break what is on its way: a request on a connection that was kept open arrives in the moment in
which the server closes it, and one that waits to be accepted is turned away with the listening socket.
"""

import ctypes
import signal
import threading
from multiprocessing.sharedctypes import RawValue
from typing import TYPE_CHECKING, Any

import msgspec
from granian.server.mp import MPServer
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from ctypes import c_bool

_DRAINING = msgspec.json.encode({"status": "draining", "dependencies": []})


class DrainingServer(MPServer):
    """Serves on for `seconds` after SIGTERM, with `draining` raised in all of its processes. SIGINT, and a second
    SIGTERM, stop it at once."""

    def __init__(self, *arguments: Any, seconds: float, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.draining = a_flag()
        self._seconds = seconds

    def signal_handler_interrupt(self, *told: Any) -> None:
        """What a signal does."""
        if not self._seconds or self.draining.value or told[:1] != (signal.SIGTERM,):
            super().signal_handler_interrupt(*told)  # type: ignore[no-untyped-call]
            return
        self.draining.value = True
        timer = threading.Timer(self._seconds, super().signal_handler_interrupt, told)
        timer.daemon = True
        timer.start()


def a_flag() -> "c_bool":
    """A flag that a process shares with those that it starts. It takes no lock: a signal's handler raises it."""
    return RawValue(ctypes.c_bool, False)


class Draining:
    """Wraps the API of one process: while `flag` is raised, /ready is 503, and each answer ends its connection."""

    def __init__(self, inner: ASGIApp, flag: "c_bool") -> None:
        self._inner = inner
        self._flag = flag

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != ScopeType.HTTP or not self._flag.value:
            await self._inner(scope, receive, send)
        elif scope["path"] == "/ready":
            headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 503, "headers": headers})
            await send({"type": "http.response.body", "body": _DRAINING, "more_body": False})
        else:
            await self._inner(scope, receive, _closing(send))


def _closing(send: Send) -> Send:
    async def send_last(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"connection", b"close")]
        await send(message)

    return send_last
