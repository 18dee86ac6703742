"""Projectors over a stand: wake-ups, queue and worker in this process, under a prefix of their own in Redis."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from dramatiq import Worker

from infrastructure.broker import declare, open_broker
from infrastructure.monitor import Monitor
from infrastructure.queue_health import Queues
from infrastructure.redis import LastPositions, connect, connect_briefly
from infrastructure.sweeper import Sweeper
from infrastructure.wakeups import WakeUps
from tests.faults.stand import Stand


@dataclass
class Projectors:
    """What a system has around its engine. Its sweeper runs only when it is told to, and sees some tenants alone."""

    stand: Stand
    redis_url: str
    monitor_url: str
    prefix: str = field(default_factory=lambda: f"{{{uuid4().hex}}}")

    def __post_init__(self) -> None:
        self.redis = connect_briefly(self.redis_url)
        self.wakeups = WakeUps(self.redis, prefix=self.prefix)
        self.queue = Queues(self.redis, prefix=self.prefix)
        self.positions = LastPositions(self.redis, self.prefix)
        self.monitor = Monitor.open(self.monitor_url, self.stand.engine.groups.values())
        self.stand.engine.on_parked = lambda parked: self.wakeups.parked(
            parked.tenant, parked.projection, parked.position, parked.error
        )

    def close(self) -> None:
        self.monitor.close()
        self.redis.close()

    def forget(self) -> None:
        """Loses all that Redis holds of this system."""
        for key in self.redis.scan_iter(match=f"{self.prefix.replace('{', '[{]')}*"):
            self.redis.delete(key)

    @contextmanager
    def working(self, threads: int = 4, wake_ms: int = 20) -> Iterator[Worker]:
        """A worker at work."""
        client = connect(self.redis_url)
        broker = open_broker(client, retry_base=0.01, prefix=self.prefix)
        declare(broker, self.stand.engine, self.wakeups)
        worker = Worker(broker, worker_timeout=wake_ms, worker_threads=threads)
        worker.start()
        try:
            yield worker
        finally:
            worker.stop()
            broker.close()
            client.close()

    def sweep(self, *tenants: UUID) -> int:
        """Sweeps once, for these tenants alone: the database is shared with other tests."""
        due = lambda: [pair for pair in self.monitor.due() if pair[1] in tenants]  # noqa: E731
        return Sweeper(due, self.wakeups, self.queue, self.stand.engine).sweep()

    def is_done(self, *tenants: UUID) -> bool:
        """Whether everything of these tenants is projected."""
        heads = {tenant: self.stand.store.head(tenant) for tenant in tenants}
        return all(set(self.stand.positions(tenant).values()) == {head} for tenant, head in heads.items())

    def open(self, tenant: UUID, count: int = 1, actor: str = "cli") -> list[str]:
        """Opens deals, and announces it as the application does."""
        streams = self.stand.open(tenant, count)
        self.wakeups.appended(tenant, actor, self.stand.store.head(tenant), ["deal"])
        return streams
