"""Lanes: no group of projections takes all threads of a worker, so that a store that hangs holds up its own alone."""

import threading
from collections import defaultdict
from collections.abc import Callable
from contextvars import Context, copy_context
from uuid import UUID

from dramatiq import Broker, Middleware, Worker


class Lanes(Middleware):
    """How many threads may be at work for a group at a time. More tenants of it wait without one, each once.

    A tenant's group is worked for by one thread of this process: who comes meanwhile has it work once more.
    `free` groups have no limit: their store is the one that nothing works without.
    """

    def __init__(self, free: frozenset[str] = frozenset({"relational"})) -> None:
        self._free = free
        self._width = 1
        self._lock = threading.Lock()
        self._busy: defaultdict[str, dict[UUID, Context | None]] = defaultdict(dict)
        """Whom each group's threads are at work for, and the context of who came first meanwhile."""
        self._waiting: defaultdict[str, dict[UUID, Context]] = defaultdict(dict)

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Leaves room for two groups that hang at the same time, and one thread beside them."""
        self._width = max(1, (worker.worker_threads - 1) // 2)

    def run(self, group: str, tenant: UUID, work: Callable[[str, UUID], None]) -> None:
        """Does the work now, and then that of those who waited for this lane; or leaves it to others and returns.

        Raises the last error of the work, after all have had their turn: nobody else would come for them.
        """
        failure: Exception | None = None
        context = self._enter(group, tenant)
        while context is not None:
            try:
                context.run(work, group, tenant)
            except Exception as error:
                failure = error
            tenant, context = self._next(group, tenant)
        if failure is not None:
            raise failure

    def _enter(self, group: str, tenant: UUID) -> Context | None:
        """A context to work in, unless another thread does the work or will."""
        with self._lock:
            busy = self._busy[group]
            if tenant in busy:
                busy[tenant] = busy[tenant] or copy_context()
                return None
            if group not in self._free and len(busy) >= self._width:
                self._waiting[group].setdefault(tenant, copy_context())
                return None
            busy[tenant] = None
            return copy_context()

    def _next(self, group: str, tenant: UUID) -> tuple[UUID, Context | None]:
        """Who waits longest, and the context of their message; without anyone, the lane is left."""
        with self._lock:
            waiting = self._waiting[group]
            if (again := self._busy[group].pop(tenant)) is not None:
                waiting[tenant] = again
            if not waiting:
                return tenant, None
            tenant = next(iter(waiting))
            self._busy[group][tenant] = None
            return tenant, waiting.pop(tenant)
