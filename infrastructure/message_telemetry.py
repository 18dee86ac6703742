"""Counts and times the messages that a worker processes."""

import threading
import time
from typing import Any

from dramatiq import Broker, MessageProxy, Middleware
from dramatiq.errors import Retry

from infrastructure.telemetry import Telemetry


class MessageTelemetry(Middleware):
    """What became of each message: done, failed (and tried again, if it may be), put back until its turn, or dead."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._of_thread = threading.local()

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Starts the clock."""
        self._of_thread.started = time.perf_counter()

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any | None = None,
        exception: BaseException | None = None,
    ) -> None:
        """Counts it."""
        seconds = time.perf_counter() - self._of_thread.started
        self._telemetry.message_seconds.labels(message.queue_name).observe(seconds)
        failed = "put_back" if isinstance(exception, Retry) else "failed"
        self._telemetry.messages.labels(message.queue_name, "done" if exception is None else failed).inc()

    def after_nack(self, broker: Broker, message: MessageProxy) -> None:
        """Counts one that nobody will try again."""
        self._telemetry.messages.labels(message.queue_name, "dead").inc()
