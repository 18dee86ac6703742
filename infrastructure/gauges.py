"""What is read when somebody asks: how far projections lag, and how the queue is."""

from collections.abc import Callable, Iterable, Iterator

import redis
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from infrastructure.monitor import Lag, Monitor
from infrastructure.queue_health import Queue
from projections.ports import StoreAway

_LAG = ("projection",)


class ProjectionGauges(Collector):
    """How far the projections of all tenants are behind their logs, as the monitor's role sees it."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def collect(self) -> Iterator[Metric]:
        """Each projection's figures; only that they could not be read, while the database is away."""
        up = GaugeMetricFamily("clientforge_monitor_up", "Whether the lags could be read (1) or not (0).")
        try:
            lags = self._monitor.lags()
        except StoreAway:
            up.add_metric((), 0)
            yield up
            return
        up.add_metric((), 1)
        yield up
        yield _lag("lag_events", "Events that are still to be projected, of all tenants.", lags, lambda lag: lag.events)
        yield _lag("lag_seconds", "How long the longest lag has lasted at least.", lags, lambda lag: lag.seconds)
        yield _lag("lagging_tenants", "Tenants whose projection is behind.", lags, lambda lag: lag.tenants)
        yield _lag("parked_tenants", "Tenants whose projection is parked.", lags, lambda lag: lag.parked)
        yield _lag("retrying_tenants", "Tenants whose projection waits to try again.", lags, lambda lag: lag.waiting)


class QueueGauges(Collector):
    """How the projectors' queue is."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def collect(self) -> Iterator[Metric]:
        """The queue's figures; only that they could not be read, while Redis is away."""
        try:
            figures = self._queue.figures()
        except redis.RedisError:
            yield _gauge("clientforge_queue_up", "Whether the queue could be read (1) or not (0).", 0)
            return
        yield _gauge("clientforge_queue_up", "Whether the queue could be read (1) or not (0).", 1)
        yield _gauge("clientforge_queue_depth", "Messages that wait.", figures.waiting)
        yield _gauge("clientforge_queue_in_progress", "Messages that a worker is at.", figures.in_progress)
        yield _gauge("clientforge_queue_delayed", "Messages that failed and wait for their next try.", figures.delayed)
        yield _gauge("clientforge_queue_oldest_seconds", "How long the first message waits.", figures.oldest_seconds)
        yield _gauge("clientforge_dead_letters", "Messages that nobody will try again.", figures.dead)
        yield _gauge("clientforge_workers", "Workers that show signs of life.", figures.workers)
        if figures.swept_seconds is not None:
            yield _gauge("clientforge_sweeper_age_seconds", "How long ago the sweeper ran.", figures.swept_seconds)


def _lag(name: str, documentation: str, lags: Iterable[Lag], value: Callable[[Lag], float]) -> Metric:
    family = GaugeMetricFamily(f"clientforge_projection_{name}", documentation, labels=_LAG)
    for lag in lags:
        family.add_metric((lag.projection,), value(lag))
    return family


def _gauge(name: str, documentation: str, value: float) -> Metric:
    family = GaugeMetricFamily(name, documentation)
    family.add_metric((), value)
    return family
