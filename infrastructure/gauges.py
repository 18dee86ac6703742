"""What is read when somebody asks: how far projections lag, how the queues are, and whether the stores answer."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from threading import Lock, Thread

import psycopg
import redis
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from infrastructure.monitor import Lag, Monitor
from infrastructure.postgres import Database
from infrastructure.queue_health import QueueFigures, Queues
from infrastructure.settings import Settings
from infrastructure.upkeep import Upkeep
from projections.ports import StoreAway
from projections.targets import Group


class Gauges:
    """All of them, over the stores of a system. Without the monitor's role they tell no lags."""

    def __init__(
        self,
        settings: Settings,
        client: redis.Redis,
        groups: Iterable[Group],
        pings: Mapping[str, Callable[[], object]],
    ) -> None:
        prefix = settings.redis_prefix
        queues = QueueGauges(Queues(client, prefix=prefix), Upkeep(client, prefix=prefix))
        self._monitor: Monitor | None = None
        if settings.database_monitor_url is not None:
            self._monitor = Monitor(Database(settings.database_monitor_url.get_secret_value(), connections=1), groups)
        self.collectors: list[Collector] = [queues, StoreGauges(pings), ProjectionGauges(self._monitor)]

    def close(self) -> None:
        """Gives back the monitor's connections."""
        if self._monitor is not None:
            self._monitor.close()


class ProjectionGauges(Collector):
    """How far the projections of all tenants are behind their logs, as the monitor's role sees it."""

    def __init__(self, monitor: Monitor | None) -> None:
        self._monitor = monitor

    def collect(self) -> Iterator[Metric]:
        """Each projection's figures; only that they could not be read, without a monitor or its database."""
        up = GaugeMetricFamily("clientforge_monitor_up", "Whether the lags could be read (1) or not (0).")
        lags = self._lags()
        up.add_metric((), lags is not None)
        yield up
        if lags is None:
            return
        yield _lag("lag_events", "Events that are still to be projected, of all tenants.", lags, lambda lag: lag.events)
        longest = "How long the oldest event that a projection lacks has been recorded, apart from parked ones."
        yield _lag("lag_seconds", longest, lags, lambda lag: lag.seconds)
        yield _lag("lagging_tenants", "Tenants whose projection is behind.", lags, lambda lag: lag.tenants)
        yield _lag("parked_tenants", "Tenants whose projection is parked.", lags, lambda lag: lag.parked)
        yield _lag("retrying_tenants", "Tenants whose projection waits to try again.", lags, lambda lag: lag.waiting)

    def _lags(self) -> list[Lag] | None:
        try:
            return None if self._monitor is None else self._monitor.lags()
        except (StoreAway, psycopg.Error):
            return None


class QueueGauges(Collector):
    """How the queues are, and when upkeep was last done: what Redis knows."""

    def __init__(self, queues: Queues, upkeep: Upkeep) -> None:
        self._queues = queues
        self._upkeep = upkeep

    def collect(self) -> Iterator[Metric]:
        """The queues' figures; only that they could not be read, while Redis is away."""
        try:
            health, upkeep = self._queues.health(), self._upkeep.last()
        except redis.RedisError:
            yield _gauge("queue_up", "Whether the queues could be read (1) or not (0).", 0)
            return
        yield _gauge("queue_up", "Whether the queues could be read (1) or not (0).", 1)
        for name, documentation, value in _QUEUE:
            yield _family(name, documentation, "queue", {each.queue: value(each) for each in health.queues})
        yield _gauge("workers", "Workers that show signs of life.", health.workers)
        if health.swept_seconds is not None:
            yield _gauge("sweeper_age_seconds", "How long ago the sweeper ran.", health.swept_seconds)
        ages = {str(task): max(0.0, time.time() - done.at) for task, done in upkeep.items()}
        yield _family("upkeep_age_seconds", "How long ago a task of upkeep was last done.", "task", ages)
        well = {str(task): float(done.well) for task, done in upkeep.items()}
        yield _family("upkeep_ok", "Whether a task of upkeep last went well (1) or not (0).", "task", well)


class StoreGauges(Collector):
    """Whether the stores answer: asked all at once, each for so long at most, and none twice at a time.

    Its threads are daemons: a store that hangs shall not keep a process from ending.
    """

    def __init__(self, pings: Mapping[str, Callable[[], object]], patience: float = 2.0) -> None:
        self._pings = pings
        self._patience = patience
        self._asked: dict[str, Future[object]] = {}
        self._lock = Lock()

    def collect(self) -> Iterator[Metric]:
        """1 for each store that answers, else 0. Scrapes that overlap take turns."""
        with self._lock:
            for name, ping in self._pings.items():
                if name not in self._asked:
                    asked: Future[object] = Future()
                    self._asked[name] = asked
                    Thread(target=_ask, args=(ping, asked), name="store-gauges", daemon=True).start()
            wait(self._asked.values(), self._patience)
            up = {name: float(self._is_up(name)) for name in self._pings}
        yield _family("store_up", "Whether a store answered in time (1) or not (0).", "store", up)

    def _is_up(self, name: str) -> bool:
        if not self._asked[name].done():
            return False
        return self._asked.pop(name).exception() is None


_QUEUE: Sequence[tuple[str, str, Callable[[QueueFigures], float]]] = (
    ("queue_depth", "Messages that wait.", lambda each: each.waiting),
    ("queue_in_progress", "Messages that a worker is at.", lambda each: each.in_progress),
    ("queue_delayed", "Messages that failed and wait for their next try.", lambda each: each.delayed),
    ("queue_oldest_seconds", "How long the first message waits.", lambda each: each.oldest_seconds),
    ("dead_letters", "Messages that nobody will try again.", lambda each: each.dead),
)


def _ask(ping: Callable[[], object], asked: Future[object]) -> None:
    try:
        asked.set_result(ping())
    except Exception as error:
        asked.set_exception(error)


def _lag(name: str, documentation: str, lags: Iterable[Lag], value: Callable[[Lag], float]) -> Metric:
    return _family(f"projection_{name}", documentation, "projection", {lag.projection: value(lag) for lag in lags})


def _family(name: str, documentation: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"clientforge_{name}", documentation, labels=(label,))
    for each, value in values.items():
        family.add_metric((each,), value)
    return family


def _gauge(name: str, documentation: str, value: float) -> Metric:
    family = GaugeMetricFamily(f"clientforge_{name}", documentation)
    family.add_metric((), value)
    return family
