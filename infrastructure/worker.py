"""The worker process: runs Dramatiq's worker over this process's engine, until it is told to stop or is of no use."""

import logging
import logging.config
import multiprocessing
import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import redis
from dramatiq import Worker

from infrastructure.bootstrap import Application, build
from infrastructure.pulse import Pulse
from infrastructure.queue_health import Queues
from infrastructure.scrape_port import counting, scraped
from infrastructure.settings import Settings

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
_STOP_MS = 60_000


def run(settings: Settings, logs: dict[str, Any]) -> None:
    """Runs `worker_processes` workers; where these are processes of their own, they log as `logs` says, which
    `dictConfig` takes. Raises SystemExit when one of them ended without being asked to."""
    with counting(), scraped(settings):
        code = run_worker_of(settings) if settings.worker_processes == 1 else _run_many(settings, logs)
    if code:
        raise SystemExit(code)


def run_worker_of(settings: Settings) -> int:
    """Puts an application together, and runs its worker; the exit code."""
    from infrastructure.telemetry import Telemetry  # noqa: PLC0415 - it looks for its directory when it is imported

    telemetry = Telemetry()
    application = build(settings, telemetry=telemetry)
    pulse = Pulse(telemetry, "worker", [application.database])
    try:
        return run_worker(application)
    finally:
        pulse.close()
        application.close()


def run_worker(app: Application) -> int:
    """Works until SIGTERM or SIGINT, and then finishes the batches at hand: 0. Ends with 1 when its threads died."""
    name = f"{socket.gethostname()}-{os.getpid()}"
    queue = Queues(app.redis, prefix=app.broker.namespace)
    worker = Worker(
        app.broker, worker_timeout=app.settings.worker_timeout_ms, worker_threads=app.settings.worker_threads
    )
    with stop_signals(app.engine.stop) as stop:
        worker.start()
        while _is_fit(worker) and not stop.asked:
            with suppress(redis.RedisError):
                queue.worker_is_alive(name)
            stop.wait(_LOOK_SECONDS)
        app.engine.stop()
        worker.stop(timeout=_STOP_MS)
    with suppress(redis.RedisError):
        queue.worker_is_gone(name)
    if not stop.asked:
        log.critical("a thread of this worker died: it ends, so that it is started again")
    return 0 if stop.asked else 1


def _is_fit(worker: Worker) -> bool:
    """Whether all of its threads live. A consumer that lost Redis lives, and tries again."""
    return all(thread.is_alive() for thread in (*worker.consumers.values(), *worker.workers))


class Stop:
    """Whether a stop was asked. A signal's handler may ask at any moment, so no lock is taken: a pipe wakes."""

    def __init__(self) -> None:
        self.asked = False
        self._read, self._write = os.pipe()

    def ask(self) -> None:
        """Asks for the stop."""
        self.asked = True
        os.write(self._write, b".")

    def wait(self, seconds: float) -> bool:
        """Waits until a stop is asked, so long at most; whether one was."""
        if not self.asked:
            select.select([self._read], [], [], seconds)
        return self.asked

    def close(self) -> None:
        """Closes the pipe."""
        os.close(self._read)
        os.close(self._write)


@contextmanager
def stop_signals(*others: Callable[[], object]) -> Iterator[Stop]:
    """A stop that SIGTERM and SIGINT ask for, and `others` that they call; to be used in the main thread."""
    stop = Stop()

    def asked(_number: int, _frame: FrameType | None) -> None:
        stop.ask()
        for each in others:
            each()

    before = {each: signal.signal(each, asked) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        stop.close()


def _run_many(settings: Settings, logs: dict[str, Any]) -> int:
    """Runs several workers, each in a process of its own; when one ends, all do."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_run_one, args=(settings, logs)) for _ in range(settings.worker_processes)]
    with stop_signals() as stop:
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
    raise SystemExit(run_worker_of(settings))
