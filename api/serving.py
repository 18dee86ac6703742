"""`clientforge serve`: Granian with API_PROCESSES processes, each with an application of its own."""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from api.draining import Draining, DrainingServer
from api.logs import logging_as_json
from infrastructure.bootstrap import build
from infrastructure.local_ports import refuse_taken_port
from infrastructure.scrape_port import counting, scraped
from infrastructure.settings import Settings
from infrastructure.slow_readers import SlowReaders

if TYPE_CHECKING:
    from ctypes import c_bool

    from prometheus_client.registry import Collector

_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>


def run(settings: Settings) -> None:
    """Serves until a signal ends it: SIGTERM DRAIN_SECONDS later, with what is under way brought to its end.

    Raises PortTaken: Granian's processes share their port, and so would a second server that nobody knows of.
    """
    refuse_taken_port(settings.port, settings.host, chosen_by="PORT")
    # The workers make their own pools and threads: nothing of this process may be copied into them.
    multiprocessing.set_start_method("spawn", force=True)
    with counting(), _read_besides(settings) as others, scraped(settings, others):
        server = DrainingServer(
            "api.app:load",
            seconds=settings.drain_seconds,
            address=settings.host,
            port=settings.port,
            interface=Interfaces.ASGI,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=int(settings.request_header_seconds * 1000)),
            websockets=False,
            workers=settings.api_processes,
            respawn_failed_workers=True,
            workers_kill_timeout=15,
            log_level=LogLevels(settings.log_level),
            log_dictconfig=logging_as_json(settings.log_level),
            process_name=None,
        )
        server.serve(target_loader=partial(_load, settings, os.getpid(), server.draining), wrap_loader=False)


@contextmanager
def _read_besides(settings: Settings) -> "Iterator[Sequence[Collector]]":
    """What METRICS_PORT reads when it is asked, as /metrics does."""
    if not settings.metrics_port:
        yield ()
        return
    with closing(build(settings)) as application, closing(application.gauges()) as gauges:
        yield gauges.collectors


def _load(settings: Settings, parent: int, draining: "c_bool") -> Draining:
    """The API of a worker."""
    _end_with(parent)
    SlowReaders(settings.port, seconds=settings.answer_seconds, bytes_per_second=settings.slowest_reader).start()
    from api.app import load  # noqa: PLC0415 - the counters look for their directory when they are imported

    return Draining(load(settings), draining)


def _end_with(parent: int) -> None:
    """Ends this worker when the server dies without having stopped it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit("the server has gone")
