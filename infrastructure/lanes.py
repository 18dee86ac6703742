"""Lanes: no group of projections takes all threads of a worker, so that a store that hangs holds up its own alone."""

import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from uuid import UUID

from dramatiq import Broker, Middleware, Worker


class Lanes(Middleware):
    """How many threads may be at work for a group at a time. More tenants of it wait without one, each once.

    `free` groups have no limit: their store is the one that nothing works without.
    """

    def __init__(self, free: frozenset[str] = frozenset({"relational"})) -> None:
        self._free = free
        self._width = 1
        self._lock = threading.Lock()
        self._busy: dict[str, int] = {}
        self._waiting: dict[str, dict[UUID, Context]] = {}

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Leaves room for two groups that hang at the same time, and one thread beside them."""
        self._width = max(1, (worker.worker_threads - 1) // 2)

    def run(self, group: str, tenant: UUID, work: Callable[[str, UUID], None]) -> None:
        """Does the work now, and then that of those who waited for this lane; or lets it wait and returns."""
        if group in self._free:
            work(group, tenant)
            return
        if not self._enter(group, tenant):
            return
        turn: tuple[UUID, Context] | None = (tenant, copy_context())
        try:
            while turn is not None:
                turn[1].run(work, group, turn[0])
                turn = self._next(group)
        except BaseException:
            self._leave(group)
            raise

    def _enter(self, group: str, tenant: UUID) -> bool:
        with self._lock:
            if self._busy.get(group, 0) >= self._width:
                self._waiting.setdefault(group, {})[tenant] = copy_context()
                return False
            self._busy[group] = self._busy.get(group, 0) + 1
            return True

    def _next(self, group: str) -> tuple[UUID, Context] | None:
        """Who waits longest, and the context of their message; without anyone, the lane is left."""
        with self._lock:
            waiting = self._waiting.get(group)
            if not waiting:
                self._busy[group] -= 1
                return None
            tenant = next(iter(waiting))
            return tenant, waiting.pop(tenant)

    def _leave(self, group: str) -> None:
        with self._lock:
            self._busy[group] -= 1
