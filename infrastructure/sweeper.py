"""The sweeper process: wakes what is behind its log and due, whatever became of its wake-ups."""

import logging
import random
import time
from collections.abc import Callable, Sequence
from uuid import UUID

import psycopg
import redis

from infrastructure.bootstrap import Application, build
from infrastructure.monitor import Monitor
from infrastructure.pulse import Pulse
from infrastructure.queue_health import MOST_WAITING, Queues
from infrastructure.scrape_port import counting, scraped
from infrastructure.settings import InvalidSettings, Settings
from infrastructure.stopping import Stop, stop_signals
from infrastructure.wakeups import WakeUps
from projections.engine import Engine
from projections.ports import StoreAway

log = logging.getLogger(__name__)

_LEFTOVERS_SECONDS = 60.0


class Sweeper:
    """One look at all tenants at a time. While Redis is away, it does the projectors' work itself."""

    def __init__(self, due: Callable[[], Sequence[tuple[str, UUID]]], wakeups: WakeUps, queue: Queues, engine: Engine):
        self._due = due
        self._wakeups = wakeups
        self._queue = queue
        self._engine = engine

    def sweep(self) -> int:
        """Wakes what is behind and due, as far as the queue isn't full of wake-ups already; how many pairs of group
        and tenant that were. Raises StoreAway, and psycopg.Error."""
        due = list(self._due())
        random.shuffle(due)
        try:
            room = max(0, MOST_WAITING - self._wakeups.waiting())
            self._queue.swept()
        except redis.RedisError:
            room = len(due)
        if due and not self._wakeups.wake(due[:room]):
            self._project(due)
        return len(due)

    def _project(self, due: Sequence[tuple[str, UUID]]) -> None:
        for group, tenant in due:
            while not self._engine.stopped and not self._engine.drain(group, tenant):
                pass


def run(settings: Settings) -> None:
    """Puts an application together, and sweeps until SIGTERM or SIGINT."""
    with stop_signals() as stop, counting(), scraped(settings):
        from infrastructure.telemetry import Telemetry  # noqa: PLC0415 - see infrastructure.scrape_port

        telemetry = Telemetry()
        application = build(settings, telemetry=telemetry)
        pulse = Pulse(telemetry, "sweeper", application.pools)
        try:
            run_sweeper(application, stop)
        finally:
            pulse.close()
            application.close()


def run_sweeper(app: Application, stop: Stop) -> None:
    """Sweeps every `sweep_seconds` until a stop is asked. Raises InvalidSettings without a monitor's database."""
    if app.settings.database_monitor_url is None:
        raise InvalidSettings("DATABASE_MONITOR_URL: the sweeper needs the monitor's role to see all tenants")
    monitor = Monitor.open(app.settings.database_monitor_url.get_secret_value(), app.engine.groups.values())
    sweeper = Sweeper(monitor.due, app.announcements, Queues(app.redis, prefix=app.announcements.prefix), app.engine)
    leftovers = every(_LEFTOVERS_SECONDS, lambda: app.filing.clear_leftovers(app.settings.upload_leftover_seconds))
    stop.also(app.engine.stop)
    try:
        while not stop.wait(app.settings.sweep_seconds):
            sweep_quietly(sweeper.sweep)
            sweep_quietly(leftovers)
    finally:
        monitor.close()


def sweep_quietly(sweep: Callable[[], object]) -> None:
    """Sweeps once; what goes wrong may go right the next time."""
    try:
        sweep()
    except (StoreAway, psycopg.Error, OSError) as error:
        log.warning("nothing was swept: %s", type(error).__name__)


def every(seconds: float, sweep: Callable[[], object]) -> Callable[[], None]:
    """The same sweep, not more often than that."""
    due = time.monotonic()

    def sweep_when_due() -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + seconds
            sweep()

    return sweep_when_due
