"""What surrounds every request: its id, its time, its line in the log, and headers that every answer has."""

import logging
import time
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils.compat import uuid7

from api.headers import REQUEST_ID, STALE, request_id
from api.shielding import shielded
from infrastructure.log_context import about
from infrastructure.telemetry import Telemetry

access_log = logging.getLogger("clientforge.access")


class Observing:
    """Wraps the whole application, so that unknown addresses count too."""

    def __init__(self, inner: ASGIApp, telemetry: Telemetry) -> None:
        self._inner = inner
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, and notes it."""
        if scope["type"] != ScopeType.HTTP:
            await self._inner(scope, receive, send)
            return
        head = scope["method"] == "HEAD"
        if head:  # what GET answers, without its body (RFC 9110, 9.3.2)
            scope["method"] = "GET"
        started = time.perf_counter()
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        id = request_id(given.decode("latin-1")) or str(uuid7())
        correlation = scope["state"]["correlation"] = uuid7()
        scope["state"]["request_id"] = id
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = list(message["headers"])
                headers += [(REQUEST_ID.lower().encode(), id.encode())]
                # An error is an answer too: what isn't found may not have been projected yet.
                headers += [(STALE.lower().encode(), b"true")] if scope["state"].get("stale") else []
                if standing := scope["state"].get("standing"):
                    headers += [(name.lower().encode(), value.encode()) for name, value in standing.headers.items()]
                message["headers"] = shielded(headers)
            elif head and message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        with about(request=id, correlation=correlation):
            try:
                await self._inner(scope, receive, send_with_headers)
            finally:
                self._note(scope, status, time.perf_counter() - started)

    def _note(self, scope: Any, status: int, seconds: float) -> None:
        route, method = scope.get("path_template") or "(none)", scope["method"]
        method = method if method in ("GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS") else "(other)"
        self._telemetry.requests.labels(method, route, str(status)).inc()
        self._telemetry.request_seconds.labels(method, route).observe(seconds)
        if access_log.isEnabledFor(logging.INFO):
            access_log.info(
                "request",
                extra={"method": method, "route": route, "status": status, "ms": round(seconds * 1000, 2)},
            )
