"""Where a process counts, and the port of its own at which it may be scraped."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from infrastructure.local_ports import refuse_taken_port
from infrastructure.settings import Settings

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


@contextmanager
def counting() -> Iterator[None]:
    """Has this process and those that it starts count together, in a directory that goes with it unless one is given.

    To be entered before anything imports prometheus_client: it looks for its directory once.
    """
    if given := os.environ.get(DIRECTORY_VARIABLE):
        Path(given).mkdir(parents=True, exist_ok=True)
        yield
        return
    with tempfile.TemporaryDirectory(prefix="clientforge-metrics-") as directory:
        os.environ[DIRECTORY_VARIABLE] = directory
        try:
            yield
        finally:
            del os.environ[DIRECTORY_VARIABLE]


@contextmanager
def scraped(settings: Settings, others: "Sequence[Collector]" = ()) -> Iterator[None]:
    """Shows what this process and its children count, and what `others` read, at METRICS_PORT of METRICS_HOST, at any
    path. Raises PortTaken."""
    if not settings.metrics_port:
        yield
        return
    refuse_taken_port(settings.metrics_port, settings.metrics_host, chosen_by="METRICS_PORT")
    from prometheus_client import CollectorRegistry, start_http_server  # noqa: PLC0415

    from infrastructure.telemetry import AllProcesses  # noqa: PLC0415

    registry = CollectorRegistry()
    for each in (AllProcesses(os.environ[DIRECTORY_VARIABLE]), *others):
        registry.register(each)
    server, thread = start_http_server(settings.metrics_port, settings.metrics_host, registry)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
