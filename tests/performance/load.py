"""A load generator: so many connections that each send the next request as soon as the last one is answered.

It speaks plain HTTP/1.1 over asyncio's streams: a full client would cost more than the server that it measures.
"""

import asyncio
import itertools
import multiprocessing
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CONNECTIONS, WARM_UP_SECONDS, SECONDS = 32, 3.0, 5.0
SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Load:
    """What came of it: answers per second, latencies in milliseconds, and how many answers were no 2xx."""

    rate: float
    p50: float
    p99: float
    failed: int


@dataclass(frozen=True)
class Requests:
    """Requests to be sent in turns: one method, many paths or bodies."""

    method: str
    paths: Sequence[str]
    bodies: Sequence[bytes] = (b"",)
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> list[bytes]:
        """Each as the bytes that are sent."""
        wide = max(len(self.paths), len(self.bodies))
        pairs = zip(itertools.cycle(self.paths), itertools.cycle(self.bodies), strict=False)
        return [self._encoded(path, body) for path, body in itertools.islice(pairs, wide)]

    def _encoded(self, path: str, body: bytes) -> bytes:
        lines = [f"{self.method} {path} HTTP/1.1", "Host: localhost", *(f"{k}: {v}" for k, v in self.headers.items())]
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + body


def run(port: int, requests: Requests) -> Load:
    """Loads a server on 127.0.0.1 from a process of its own."""
    answer = SPAWN.Queue()
    process = SPAWN.Process(target=_process, args=(port, requests, answer))
    process.start()
    load: Load = answer.get(timeout=60)
    process.join()
    return load


def _process(port: int, requests: Requests, answer: Any) -> None:
    answer.put(asyncio.run(_measured(port, itertools.cycle(requests.encoded()))))


async def _measured(port: int, requests: Iterator[bytes]) -> Load:
    begin = time.perf_counter() + WARM_UP_SECONDS
    end = begin + SECONDS
    latencies: list[float] = []
    failed = 0

    async def connection() -> None:
        nonlocal failed
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (start := time.perf_counter()) < end:
            writer.write(next(requests))
            status = await _answered(reader)
            if start >= begin:
                latencies.append(time.perf_counter() - start)
                failed += not 200 <= status < 300
        writer.close()

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    taken = statistics.quantiles(latencies, n=100)
    return Load(rate=len(latencies) / SECONDS, p50=taken[49] * 1000, p99=taken[98] * 1000, failed=failed)


async def _answered(reader: asyncio.StreamReader) -> int:
    """Reads one answer to its end; its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    _, found, rest = head.lower().partition(b"content-length:")
    if found and (length := int(rest.split(b"\r\n", 1)[0])):
        await reader.readexactly(length)
    return int(head.split(b" ", 2)[1])
