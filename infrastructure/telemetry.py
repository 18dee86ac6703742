"""What a process counts, for Prometheus: every metric of ours that isn't read when somebody asks. No label names a
tenant.

With PROMETHEUS_MULTIPROC_DIR set before the first import, all processes that share that directory count together.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, TypeVar, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from application.ports import Conflict
from domain.security.events import AccessEvent
from infrastructure.credentials import WrongCredentials
from infrastructure.scrape_port import DIRECTORY_VARIABLE
from infrastructure.second_factors import SecondFactorRequired
from infrastructure.settings import RATE_CLASSES
from infrastructure.wakeups import QUEUES
from projections.engine import Projected

M = TypeVar("M", bound=MetricWrapperBase)

_REQUEST_SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8, 1.0, 2.5, 5.0, 10.0)
"""They hold every threshold of latency that an alert or a gate asks for, so that none is interpolated."""
_STORE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BATCH_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Telemetry:
    """The counters of a process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._count_requests()
        self._count_writing()
        self._count_projecting()
        self._count_stores()
        self._count_itself()
        self._begin_at_nothing()

    def _count_requests(self) -> None:
        counter, histogram = self._kind(Counter), self._kind(Histogram)
        self.requests = counter("http_requests_total", "Requests answered.", ("method", "route", "status"))
        self.request_seconds = histogram(
            "http_request_duration_seconds",
            "Time from a request's arrival to its answer.",
            ("method", "route"),
            buckets=_REQUEST_SECONDS,
        )
        self.log_ins = counter("log_ins_total", "Log-ins, and what they came to.", ("outcome",))
        self.security_events = counter("security_events_total", "Security events noted.", ("type",))
        self.requests_refused = counter(
            "rate_limit_refusals_total", "Requests refused because of a rate limit.", ("limit",)
        )
        self.limited_by_process = counter(
            "rate_limit_fallbacks_total", "Requests that a process counted by itself, as Redis was away.", ("limit",)
        )
        self.stale_reads = counter(
            "stale_reads_total", "Queries answered before a projection had passed what they asked for.", ("route",)
        )

    def _count_writing(self) -> None:
        counter, histogram = self._kind(Counter), self._kind(Histogram)
        self.commands = counter(
            "commands_total", "Commands handled: ok, or the code of the refusal.", ("command", "outcome")
        )
        self.appends = counter("appends_total", "Appends committed.")
        self.append_seconds = histogram("append_duration_seconds", "Time of an append.", buckets=_STORE_SECONDS)
        self.events = counter("events_appended_total", "Events appended.")
        self.conflicts = counter("append_conflicts_total", "Appends that met a conflict.", ("conflict",))

    def _count_projecting(self) -> None:
        counter, histogram = self._kind(Counter), self._kind(Histogram)
        self.batches = counter("projection_batches_total", "Batches of events fed to projections.", ("group",))
        self.batch_seconds = histogram(
            "projection_batch_duration_seconds", "Time of a batch.", ("group",), buckets=_BATCH_SECONDS
        )
        self.projected = counter("projection_events_total", "Events fed to projections.", ("group",))
        self.projections_failed = counter(
            "projection_failures_total", "Batches that a projection could not take.", ("projection",)
        )
        self.messages = counter(
            "messages_total",
            "Messages processed: done, failed (tried again or not), put back until their turn, dead.",
            ("queue", "outcome"),
        )
        self.message_seconds = histogram(
            "message_duration_seconds", "Time that a message took.", ("queue",), buckets=_BATCH_SECONDS
        )

    def _count_stores(self) -> None:
        self.store_seconds = self._kind(Histogram)(
            "store_request_duration_seconds", "Time that a store took to answer.", ("store",), buckets=_STORE_SECONDS
        )
        self.store_errors = self._kind(Counter)("store_errors_total", "Requests that a store failed.", ("store",))
        added = self._kind(Gauge, multiprocess_mode="livesum")
        self.pool_connections = added(
            "pool_connections", "Connections to PostgreSQL, by pool and state.", ("pool", "state")
        )
        self.pool_limit = added("pool_connections_limit", "Connections to PostgreSQL at most, by pool.", ("pool",))
        self.pool_waiting = added(
            "pool_requests_waiting", "Who waits for a connection to PostgreSQL, by pool.", ("pool",)
        )

    def _count_itself(self) -> None:
        added = self._kind(Gauge, multiprocess_mode="livesum")
        highest = self._kind(Gauge, multiprocess_mode="livemax")
        self.processes = added("processes", "Processes that run.", ("kind",))
        self.memory_bytes = highest(
            "process_resident_memory_bytes", "Memory of the largest process of a kind.", ("kind",)
        )
        self.open_files = highest("process_open_fds", "Open files of the process with the most of a kind.", ("kind",))
        self.started = highest(
            "process_start_time_seconds", "When the youngest process of a kind started, since 1970.", ("kind",)
        )
        self.cpu_seconds = self._kind(Counter)("process_cpu_seconds_total", "Processor time used.", ("kind",))

    def _begin_at_nothing(self) -> None:
        """Has the series that alerts look for growth of begin at 0: one that begins at 1 has not grown."""
        for outcome in ("ok", WrongCredentials.code, SecondFactorRequired.code):
            self.log_ins.labels(outcome)
        for event in get_args(AccessEvent):
            self.security_events.labels(event.TYPE)
        for limit in RATE_CLASSES:
            self.requests_refused.labels(limit)
            self.limited_by_process.labels(limit)
        for queue, outcome in product(QUEUES, ("done", "failed", "put_back", "dead")):
            self.messages.labels(queue, outcome)
        for conflict in Conflict.__subclasses__():
            self.conflicts.labels(conflict.__name__)

    def asked(self, store: str, seconds: float, failed: bool) -> None:
        """Notes that a store was asked for something."""
        self.store_seconds.labels(store).observe(seconds)
        if failed:
            self.store_errors.labels(store).inc()

    def fed(self, batch: Projected) -> None:
        """Notes a batch of events that was fed to a group of projections."""
        self.batches.labels(batch.group).inc()
        self.batch_seconds.labels(batch.group).observe(batch.seconds)
        self.projected.labels(batch.group).inc(batch.events)
        for name in batch.failed:
            self.projections_failed.labels(name).inc()

    def _kind(self, metric: type[M], **always: Any) -> Callable[..., M]:
        return partial(metric, namespace="clientforge", registry=self._registry, **always)

    def exposition(self, others: Sequence[Collector] = ()) -> bytes:
        """All counts in Prometheus' text format, those of `others` with them."""
        registry = self._registry
        if directory := os.environ.get(DIRECTORY_VARIABLE):
            registry = CollectorRegistry()
            registry.register(AllProcesses(directory))
        read_now = CollectorRegistry()
        for each in others:
            read_now.register(each)
        return generate_latest(registry) + generate_latest(read_now)


class AllProcesses(MultiProcessCollector):
    """What all processes that share a directory count, and have while they live."""

    def __init__(self, directory: str) -> None:
        super().__init__(None, path=directory)  # type: ignore[no-untyped-call]
        self._directory = Path(directory)

    def collect(self) -> Any:
        """All of it, as it is now."""
        forget_the_dead(self._directory)
        return super().collect()  # type: ignore[no-untyped-call]


def forget_the_dead(directory: Path) -> None:
    """Drops what only living processes have, of those that were killed; what they counted stays."""
    for file in directory.glob("gauge_live*_*.db"):
        if not Path("/proc", file.stem.rsplit("_", 1)[1]).exists():
            with suppress(FileNotFoundError):
                file.unlink()
