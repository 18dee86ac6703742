"""Makes the read models of a restored log: the workers' work, without waiting for wake-ups."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from projections.engine import Engine


def fill(engine: Engine, tenants: Iterable[UUID], *, parallel: int = 4) -> None:
    """Brings all projections of these tenants to the end of the log, or to what they can't apply. Raises StoreAway."""

    def one(tenant: UUID) -> None:
        for group in engine.groups:
            while not engine.stopping.is_set() and not engine.drain(group, tenant):
                pass

    with ThreadPoolExecutor(parallel) as pool:
        for _ in pool.map(one, tenants):
            pass
