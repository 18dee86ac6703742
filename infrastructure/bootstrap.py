"""The only composition root: settings in, a working application out."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypeVar

import redis
from dramatiq.brokers.redis import RedisBroker

from application.catalogue import EVENT_TYPES
from application.filing import Filing
from application.handling import Handler
from application.recording import Mapper
from application.tenancy import Tenancy
from infrastructure.broker import declare, open_broker
from infrastructure.embedded_search import PostgresIndex
from infrastructure.embedded_trail import PostgresTrail
from infrastructure.event_store import PostgresEventStore
from infrastructure.file_bytes import FilesDirectory
from infrastructure.keys import KeyRing, Wrapping
from infrastructure.mailing import Mailing, declare_mail
from infrastructure.postgres import Database, is_passing
from infrastructure.redis import LastPositions, connect, connect_briefly
from infrastructure.settings import Settings
from infrastructure.smtp import transport_of
from infrastructure.storage_ledger import PostgresLedger
from infrastructure.wakeups import WakeUps
from projections.catalogue import groups
from projections.engine import Engine, Projected
from projections.ports import AuditTrail, SearchIndex
from projections.setbacks import Pace, Parked

if TYPE_CHECKING:
    from infrastructure.gauges import Gauges
    from infrastructure.telemetry import Telemetry

S = TypeVar("S")
_log = logging.getLogger("clientforge.projecting")


@dataclass
class Application:
    """All parts of one process, put together. Parts that only some processes need are made when first used.

    `telemetry` is None in commands, which nobody scrapes.
    """

    settings: Settings
    database: Database
    keyring: KeyRing
    store: PostgresEventStore
    redis: redis.Redis
    announcements: WakeUps
    positions: LastPositions
    handler: Handler
    tenancy: Tenancy
    telemetry: "Telemetry | None" = None

    @cached_property
    def search(self) -> SearchIndex:
        """The search index. Its client is loaded for who uses it: that takes as long as many a command."""
        return self._timed(self._search(), "search")

    def _search(self) -> SearchIndex:
        if self.settings.elasticsearch_url is None:
            return PostgresIndex(self.database)
        from infrastructure.elasticsearch import ElasticsearchIndex  # noqa: PLC0415

        url = self.settings.elasticsearch_url.get_secret_value()
        return ElasticsearchIndex(
            url, prefix=self.settings.elasticsearch_prefix, shards=self.settings.elasticsearch_shards
        )

    @cached_property
    def trail(self) -> AuditTrail:
        """The audit trail, whose client is loaded likewise."""
        return self._timed(self._trail(), "audit")

    def _trail(self) -> AuditTrail:
        if self.settings.mongodb_url is None:
            return PostgresTrail(self.database)
        from infrastructure.mongo import MongoTrail  # noqa: PLC0415

        return MongoTrail(self.settings.mongodb_url.get_secret_value())

    @property
    def pings(self) -> Mapping[str, Callable[[], object]]:
        """How each store is asked whether it answers, by its name."""
        return {
            "postgresql": self.database.ping,
            "redis": self.redis.ping,
            "search": self.search.ping,
            "audit": self.trail.ping,
        }

    def gauges(self) -> "Gauges":
        """What is read of the stores when somebody asks for metrics; the caller closes it."""
        from infrastructure.gauges import Gauges  # noqa: PLC0415 - see infrastructure.scrape_port

        return Gauges(self.settings, self.redis, groups(self.database, self.search, self.trail), self.pings)

    def pools(self) -> Mapping[str, Database]:
        """Its pools of connections as the application's role, by what they are for, as far as they are made."""
        found = {"application": self.database}
        if "engine" in self.__dict__ and isinstance(self.engine.database, Database):
            found["engine"] = self.engine.database
        return found

    @cached_property
    def filing(self) -> Filing:
        """The files, under the settings' directory."""
        return Filing(self.store, self.handler, FilesDirectory(self.settings.files_dir), PostgresLedger(self.database))

    @cached_property
    def engine(self) -> Engine:
        """The projection engine, with a pool of its own."""
        return Engine(
            _database(self.settings, telemetry=self.telemetry),
            self.store,
            groups(self.database, self.search, self.trail),
            is_away=is_passing,
            on_parked=self._dead_letter,
            on_fed=self._fed,
            pace=Pace(
                batch=self.settings.projection_batch,
                retry_base=self.settings.retry_base_seconds,
                retry_limit=self.settings.retry_limit,
            ),
        )

    @cached_property
    def broker(self) -> RedisBroker:
        """The message broker, with the actors of this process bound to its engine."""
        client = connect(self.settings.redis_url.get_secret_value())
        broker = open_broker(
            client,
            retry_base=self.settings.retry_base_seconds,
            prefix=self.settings.redis_prefix,
            look_ms=self.settings.worker_timeout_ms,
        )
        declare(broker, self.engine, self.announcements)
        declare_mail(broker, lambda: self.mailing, retry_base=self.settings.retry_base_seconds)
        if self.telemetry is not None:
            from infrastructure.message_telemetry import MessageTelemetry  # noqa: PLC0415

            broker.add_middleware(MessageTelemetry(self.telemetry))
        return broker

    @cached_property
    def mailing(self) -> Mailing:
        """Sends mail."""
        return Mailing(self.database, self.store, self.settings, transport_of(self.settings))

    def close(self) -> None:
        """Gives back connections and stops threads."""
        if "broker" in self.__dict__:
            self.broker.close()
        if "engine" in self.__dict__:
            self.engine.stop()
        made = [self.__dict__[name] for name in ("search", "trail") if name in self.__dict__]
        for part in (*made, self.redis, *self.pools().values()):
            if close := getattr(part, "close", None):
                close()

    def _dead_letter(self, parked: Parked) -> None:
        """Tells people about a parked projection. It is stored as parked already, so a lost message loses nothing."""
        with suppress(redis.RedisError):
            self.announcements.parked(parked.tenant, parked.projection, parked.position, parked.error)

    def _fed(self, fed: Projected) -> None:
        if _log.isEnabledFor(logging.INFO):
            _log.info("projected", extra=fed.told())
        if self.telemetry is not None:
            self.telemetry.fed(fed)

    def _timed(self, store: S, name: str) -> S:
        if self.telemetry is None:
            return store
        from infrastructure.counted import timed  # noqa: PLC0415

        return timed(store, name, self.telemetry)


def build(
    settings: Settings, *, query_seconds: float | None = None, telemetry: "Telemetry | None" = None
) -> Application:
    """Puts an application together. `query_seconds` is how long its queries may run: rebuilds and imports have all
    the time that they need. Raises UnsafeRole for a database role that row-level security doesn't bind."""
    database = _database(settings, query_seconds, telemetry)
    database.refuse_unsafe_role()
    keyring = KeyRing(database, Wrapping(settings.master_key_bytes))
    store = PostgresEventStore(database, keyring, Mapper(EVENT_TYPES))
    client = connect_briefly(settings.redis_url.get_secret_value(), _told(telemetry, "redis"))
    announcements = WakeUps(client, prefix=settings.redis_prefix)
    handler = Handler(store, announcements)
    return Application(
        settings=settings,
        database=database,
        keyring=keyring,
        store=store,
        redis=client,
        announcements=announcements,
        positions=LastPositions(client, settings.redis_prefix),
        handler=handler,
        tenancy=Tenancy(store, handler),
        telemetry=telemetry,
    )


@contextmanager
def engine_aside(dsn: str, master_key: bytes) -> Iterator[Engine]:
    """An engine over a copy: its search and audit are in its PostgreSQL, and nobody is told what becomes of them.

    What can't be projected is parked at once.
    """
    database, own = Database(dsn), Database(dsn)
    store = PostgresEventStore(database, KeyRing(database, Wrapping(master_key)), Mapper(EVENT_TYPES))
    targets = groups(database, PostgresIndex(database), PostgresTrail(database))
    try:
        yield Engine(own, store, targets, is_away=is_passing, pace=Pace(retry_limit=0))
    finally:
        own.close()
        database.close()


def _database(settings: Settings, query_seconds: float | None = None, telemetry: "Telemetry | None" = None) -> Database:
    return Database(
        settings.database_url.get_secret_value(),
        connections=settings.database_connections,
        prepare_threshold=settings.database_prepare_threshold,
        query_seconds=query_seconds,
        on_asked=_told(telemetry, "postgresql"),
    )


def _told(telemetry: "Telemetry | None", store: str) -> Callable[[float, bool], object] | None:
    return None if telemetry is None else partial(telemetry.asked, store)
