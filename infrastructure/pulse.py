"""What a process tells of itself every few seconds: processor, memory, files, and its connections to PostgreSQL."""

import os
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import psutil

from infrastructure.postgres import Database

if TYPE_CHECKING:
    from infrastructure.telemetry import Telemetry

EVERY_SECONDS = 5.0


class Pulse:
    """A thread that keeps a process's own gauges true. `kind` is api, worker or sweeper. `pools` tells the pools that
    the process has by now, by what they are for."""

    def __init__(self, telemetry: "Telemetry", kind: str, pools: Callable[[], Mapping[str, Database]]) -> None:
        self._telemetry = telemetry
        self._kind = kind
        self._pools = pools
        self._process = psutil.Process(os.getpid())
        self._used = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        telemetry.started.labels(kind).set(self._process.create_time())
        self._beat()
        telemetry.processes.labels(kind).set(1)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            self._beat()

    def _beat(self) -> None:
        telemetry, kind = self._telemetry, self._kind
        with self._process.oneshot():
            times = self._process.cpu_times()
            telemetry.memory_bytes.labels(kind).set(self._process.memory_info().rss)
            telemetry.open_files.labels(kind).set(self._process.num_fds())
        telemetry.cpu_seconds.labels(kind).inc(max(0.0, times.user + times.system - self._used))
        self._used = times.user + times.system
        for name, pool in self._pools().items():
            now = pool.connections()
            telemetry.pool_limit.labels(name).set(now.limit)
            telemetry.pool_waiting.labels(name).set(now.waiting)
            telemetry.pool_connections.labels(name, "idle").set(now.idle)
            telemetry.pool_connections.labels(name, "in_use").set(now.size - now.idle)
