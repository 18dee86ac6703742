"""Whether this process lives, whether it can work, and what it has counted: at the root, for machines."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from api.scraping import check_may_scrape
from api.services import Services

NEEDED = frozenset({"postgresql"})
"""Without these no request can be answered; without the others, most can."""

_PATIENCE = 3.0


class Dependency(Struct, frozen=True, kw_only=True):
    """A store, and how long it took to answer; `error` is what kind of trouble it is in."""

    name: str
    up: bool
    needed: bool
    latency_ms: float
    error: str | None = None


class Readiness(Struct, frozen=True, kw_only=True):
    """`ready`, `degraded` when something is down that isn't needed for most requests, else `unavailable`."""

    status: str
    dependencies: list[Dependency]


def routes(services: Services, gauges: Sequence[Collector]) -> list[HTTPRouteHandler]:
    """The routes outside of the prefix."""

    @get("/live", include_in_schema=False)
    async def live() -> Response[bytes]:
        return _json({"status": "alive"}, 200)

    @get("/ready", include_in_schema=False)
    async def ready() -> Response[bytes]:
        readiness = await _readiness(services)
        return _json(readiness, 503 if readiness.status == "unavailable" else 200)

    @get("/metrics", include_in_schema=False)
    async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
        check_may_scrape(services.settings, request.headers.get("authorization"))
        loop = asyncio.get_running_loop()
        text = await loop.run_in_executor(services.probe_threads, services.telemetry.exposition, gauges)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    return [live, ready, metrics]


async def _readiness(services: Services) -> Readiness:
    asked = [_dependency(services, name, ping) for name, ping in services.dependencies.items()]
    found = list(await asyncio.gather(*asked))
    if any(each.needed and not each.up for each in found):
        return Readiness(status="unavailable", dependencies=found)
    status = "ready" if all(each.up for each in found) else "degraded"
    return Readiness(status=status, dependencies=found)


async def _dependency(services: Services, name: str, ping: Callable[[], Any]) -> Dependency:
    started = time.perf_counter()
    error: str | None = None
    try:
        async with asyncio.timeout(_PATIENCE):
            await asyncio.get_running_loop().run_in_executor(services.probe_threads, ping)
    except Exception as trouble:
        error = type(trouble).__name__
    latency = round((time.perf_counter() - started) * 1000, 2)
    return Dependency(name=name, up=error is None, needed=name in NEEDED, latency_ms=latency, error=error)


def _json(body: Any, status: int) -> Response[bytes]:
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json")
