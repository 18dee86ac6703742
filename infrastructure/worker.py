"""The worker process: runs Dramatiq's worker over this process's engine, until it is told to stop or is of no use."""

import logging
import logging.config
import multiprocessing
import os
import socket
from contextlib import suppress
from typing import Any

import redis
from dramatiq import Worker

from infrastructure.bootstrap import Application, build
from infrastructure.pulse import Pulse
from infrastructure.queue_health import Queues
from infrastructure.scrape_port import counting, scraped
from infrastructure.settings import Settings
from infrastructure.stopping import Stop, stop_signals

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
_WAKE_MS = 200
"""How often threads without a message look whether they are to stop, and for delayed messages."""
_STOP_MS = 60_000


def run(settings: Settings, logs: dict[str, Any]) -> None:
    """Runs `worker_processes` workers; where these are processes of their own, they log as `logs` says, which
    `dictConfig` takes. Raises SystemExit when one of them ended without being asked to."""
    with stop_signals() as stop, counting(), scraped(settings):
        code = run_worker_of(settings, stop) if settings.worker_processes == 1 else _run_many(settings, logs, stop)
    if code:
        raise SystemExit(code)


def run_worker_of(settings: Settings, stop: Stop) -> int:
    """Puts an application together, and runs its worker; the exit code."""
    from infrastructure.telemetry import Telemetry  # noqa: PLC0415 - it looks for its directory when it is imported

    telemetry = Telemetry()
    application = build(settings, telemetry=telemetry)
    pulse = Pulse(telemetry, "worker", application.pools)
    try:
        return run_worker(application, stop)
    finally:
        pulse.close()
        application.close()


def run_worker(app: Application, stop: Stop) -> int:
    """Works until a stop is asked, and then finishes the batches at hand: 0. Ends with 1 when its threads died."""
    name = f"{socket.gethostname()}-{os.getpid()}"
    queue = Queues(app.redis, prefix=app.broker.namespace)
    worker = Worker(app.broker, worker_timeout=_WAKE_MS, worker_threads=app.settings.worker_threads)
    stop.also(app.engine.stop)
    worker.start()
    while _is_fit(worker) and not stop.asked:
        with suppress(redis.RedisError):
            queue.worker_is_alive(name)
        stop.wait(_LOOK_SECONDS)
    asked = stop.asked
    stop.ask()
    worker.stop(timeout=_STOP_MS)
    with suppress(redis.RedisError):
        queue.worker_is_gone(name)
    if not asked:
        log.critical("a thread of this worker died: it ends, so that it is started again")
    return 0 if asked else 1


def _is_fit(worker: Worker) -> bool:
    """Whether all of its threads live. A consumer that lost Redis lives, and tries again."""
    return all(thread.is_alive() for thread in (*worker.consumers.values(), *worker.workers))


def _run_many(settings: Settings, logs: dict[str, Any], stop: Stop) -> int:
    """Runs several workers, each in a process of its own; when one ends, all do."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_run_one, args=(settings, logs)) for _ in range(settings.worker_processes)]
    for process in processes:
        process.start()
    while not stop.wait(_LOOK_SECONDS) and all(process.is_alive() for process in processes):
        pass
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()
    return 0 if stop.asked else 1


def _run_one(settings: Settings, logs: dict[str, Any]) -> None:
    logging.config.dictConfig(logs)
    with stop_signals() as stop:
        code = run_worker_of(settings, stop)
    raise SystemExit(code)
