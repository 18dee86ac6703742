"""Bounds what one tenant has running of what takes long, so that others find threads and connections.

Each process bounds by itself: threads and connections are its own, and nothing is left behind by one that dies.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar
from uuid import UUID

from api.refusals import TooManyAtOnce

T = TypeVar("T")


class LongOperations:
    """The long operations of each tenant, at most so many at a time. `called` says what they are, in the plural."""

    def __init__(self, most: int, called: str = "searches, reports and histories") -> None:
        self._most = most
        self._called = called
        self._running: Counter[UUID] = Counter()
        self._lock = Lock()

    def submit(self, threads: ThreadPoolExecutor, tenant: UUID, work: Callable[[], T]) -> Future[T]:
        """Starts one. It counts until its thread is done, whether its client still waits or not.

        Raises TooManyAtOnce.
        """
        self._entered(tenant)
        try:
            future = threads.submit(work)
        except BaseException:
            self._left(tenant)
            raise
        future.add_done_callback(lambda _: self._left(tenant))
        return future

    @contextmanager
    def running(self, tenant: UUID) -> Iterator[None]:
        """Counts what is done within. Raises TooManyAtOnce."""
        self._entered(tenant)
        try:
            yield
        finally:
            self._left(tenant)

    def _entered(self, tenant: UUID) -> None:
        with self._lock:
            if self._running[tenant] >= self._most:
                raise TooManyAtOnce(
                    f"A tenant has at most {self._most} {self._called} running at the same time. "
                    "Try again in a second.",
                    most=self._most,
                    retry_after=1,
                )
            self._running[tenant] += 1

    def _left(self, tenant: UUID) -> None:
        with self._lock:
            self._running[tenant] -= 1
            if not self._running[tenant]:
                del self._running[tenant]
