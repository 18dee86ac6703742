"""What a process counts: requests, commands, appends and conflicts, for Prometheus. No label names a tenant.

With PROMETHEUS_MULTIPROC_DIR set before the first import, all processes that share that directory count together.
"""

import os
from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from application.ports import Append, Appended, Conflict, EventStore

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8, 1.0, 2.5, 5.0, 10.0)


class Telemetry:
    """The counters of a process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "clientforge_http_requests_total",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self.request_seconds = Histogram(
            "clientforge_http_request_duration_seconds",
            "Time from a request's arrival to its answer.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.commands = Counter(
            "clientforge_commands_total",
            "Commands handled: ok, or the code of the refusal.",
            ("command", "outcome"),
            registry=self._registry,
        )
        self.log_ins = Counter(
            "clientforge_log_ins_total", "Log-ins, and what they came to.", ("outcome",), registry=self._registry
        )
        self.stale_reads = Counter(
            "clientforge_stale_reads_total",
            "Queries answered before a projection had passed what they asked for.",
            ("route",),
            registry=self._registry,
        )
        self.requests_refused = Counter(
            "clientforge_rate_limit_refusals_total",
            "Requests refused because of a rate limit.",
            ("limit",),
            registry=self._registry,
        )
        self.limited_by_process = Counter(
            "clientforge_rate_limit_fallbacks_total",
            "Requests that a process counted by itself, because Redis was away.",
            ("limit",),
            registry=self._registry,
        )
        self.appends = Counter("clientforge_appends_total", "Appends committed.", registry=self._registry)
        self.events = Counter("clientforge_events_appended_total", "Events appended.", registry=self._registry)
        self.conflicts = Counter(
            "clientforge_append_conflicts_total", "Appends that met a conflict.", ("conflict",), registry=self._registry
        )

    def exposition(self, others: Sequence[Collector] = ()) -> bytes:
        """All counts in Prometheus' text format, those of `others` with them."""
        registry = self._registry
        if directory := os.environ.get(DIRECTORY_VARIABLE):
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=directory)  # type: ignore[no-untyped-call]
        read_now = CollectorRegistry()
        for each in others:
            read_now.register(each)
        return generate_latest(registry) + generate_latest(read_now)


def counted(store: EventStore, telemetry: Telemetry) -> EventStore:
    """The same store, its appends and conflicts counted."""
    return cast(EventStore, _CountedStore(store, telemetry))


class _CountedStore:
    """Counts appends; all else is the store's own."""

    def __init__(self, store: EventStore, telemetry: Telemetry) -> None:
        self._store = store
        self._telemetry = telemetry

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def append(self, tenant: UUID, append: Append) -> Appended:
        try:
            appended = self._store.append(tenant, append)
        except Conflict as conflict:
            self._telemetry.conflicts.labels(type(conflict).__name__).inc()
            raise
        if not appended.replayed:
            self._telemetry.appends.inc()
            self._telemetry.events.inc(sum(len(change.events) for change in append.changes))
        return appended
