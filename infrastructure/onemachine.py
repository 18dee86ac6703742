"""PostgreSQL and Redis of a system on one machine: as services that are kept running, with roles and tables."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Generic, Protocol, TypeVar

from infrastructure.datadir import DataDirectory, password_in, port_in
from infrastructure.embedded import EmbeddedPostgres, EmbeddedRedis, remove_cluster
from infrastructure.local_ports import is_free
from infrastructure.migrate import APP, MONITOR, OWNER, create_database, create_roles, migrate
from infrastructure.supervisor import Supervisor

DATABASE = "clientforge"
_ROLES = {"DATABASE_URL": APP, "DATABASE_OWNER_URL": OWNER, "DATABASE_MONITOR_URL": MONITOR}


class _Server(Protocol):
    port: int

    @property
    def running(self) -> bool: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


S = TypeVar("S", bound=_Server)


class EmbeddedService(Generic[S]):
    """An embedded server as a service: once it has a port it keeps it, so that what connects to it finds it again."""

    def __init__(self, name: str, make: Callable[[int | None], S], port: int | None) -> None:
        self.name = name
        self._make = make
        self._server = make(port if port and is_free(port) else None)

    @property
    def server(self) -> S:
        """The server itself."""
        return self._server

    @property
    def running(self) -> bool:
        return self._server.running

    def start(self) -> None:
        """Starts the server. Raises ServerDidNotStart."""
        self._server.stop()
        if self._server.port:
            self._server = self._make(self._server.port)
        self._server.start()

    def stop(self) -> None:
        """Stops it; what was committed is on disk."""
        self._server.stop()


def start_stores(place: DataDirectory, known: Mapping[str, str], supervisor: Supervisor) -> dict[str, str]:
    """Starts PostgreSQL and Redis, brings the database up to date, and says by which settings they are found.

    `known` holds the settings of the last run: ports and passwords stay as they were where they can.
    """
    _clear_unfinished(place, known)
    postgres = EmbeddedService(
        "postgres", partial(EmbeddedPostgres, place.postgres), port_in(known.get("DATABASE_URL"))
    )
    supervisor.add(postgres)
    redis_password = password_in(known.get("REDIS_URL"))
    redis = EmbeddedService(
        "redis", partial(EmbeddedRedis, place.redis, password=redis_password), port_in(known.get("REDIS_URL"))
    )
    supervisor.add(redis)
    urls = _database(postgres.server, {role: password_in(known.get(name)) for name, role in _ROLES.items()})
    return {**urls, "DATABASE_PREPARE_THRESHOLD": "5", "REDIS_URL": redis.server.url()}


@contextmanager
def bare_database(place: DataDirectory) -> Iterator[dict[str, str]]:
    """PostgreSQL of a new system, with its roles and a database without tables, until the end; the roles' URLs.

    What goes wrong meanwhile leaves no database behind.
    """
    try:
        with EmbeddedPostgres(place.postgres) as server:
            yield _roles(server, {role: password_in(None) for role in _ROLES.values()})
    except BaseException:
        remove_cluster(place.postgres)
        raise


def _clear_unfinished(place: DataDirectory, known: Mapping[str, str]) -> None:
    """Removes the files of a first start that was killed before anything could be stored in them."""
    password = place.postgres / "superuser.password"
    if "DATABASE_URL" not in known and not (password.exists() and password.read_text()):
        remove_cluster(place.postgres)


def _database(server: EmbeddedPostgres, passwords: dict[str, str]) -> dict[str, str]:
    """Makes roles, database and tables where they are missing; the URLs of the roles."""
    urls = _roles(server, passwords)
    migrate(urls["DATABASE_OWNER_URL"])
    return urls


def _roles(server: EmbeddedPostgres, passwords: dict[str, str]) -> dict[str, str]:
    """Makes roles and database where they are missing; the URLs of the roles."""
    create_roles(server.superuser_url(), passwords)
    create_database(server.superuser_url(), DATABASE)
    return {
        name: f"postgresql://{role}:{passwords[role]}@127.0.0.1:{server.port}/{DATABASE}"
        for name, role in _ROLES.items()
    }
