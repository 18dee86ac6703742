"""The services of one test run: each is started when it is first asked for, and all end with the run."""

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Self

import psutil
import psycopg
import redis

from infrastructure.embedded import EmbeddedPostgres, EmbeddedRedis
from infrastructure.embedded.directory import DirectoryInUse, DirectoryLock, new_locked_directory
from tests.services import docker, elasticsearch, ferretdb
from tests.services.availability import Unavailable
from tests.services.databases import Postgres
from tests.services.pgbouncer import PgBouncer

PREFIX = "clientforge-tests-"
_MEMORY, _ROOM = Path("/dev/shm"), 8_000_000_000  # noqa: S108
# Enough for the tests' processes and for the pool of the MongoDB stand-in.
POSTGRES_SETTINGS = {"max_connections": "400"}


class ServiceSession:
    """Every service, in this order: from a given URL, else started on this machine, else in a container."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @cached_property
    def directory(self) -> Path:
        """The run's data."""
        directory = self._own_directory(Path(tempfile.gettempdir()))
        directory.chmod(0o755)  # an unprivileged PostgreSQL must pass through
        return directory

    def _in_memory(self) -> Path | None:
        """A directory that lies in memory, where there is room: each refresh of a search index makes some twenty small
        files, which cost half a millisecond of processor time each on some virtual disks."""
        if not _MEMORY.is_dir() or min(shutil.disk_usage(_MEMORY).free, psutil.virtual_memory().available) < _ROOM:
            return None
        return self._own_directory(_MEMORY)

    def _own_directory(self, place: Path) -> Path:
        """A directory that ends with the run. Those of killed runs are removed on the way."""
        _remove_leftovers(place)
        directory, lock = new_locked_directory(PREFIX, place)
        self._stack.callback(lock.release)
        self._stack.callback(_remove, directory)
        return directory

    @cached_property
    def postgres(self) -> Postgres:
        given = _given("TEST_DATABASE_URL", _postgres_answers)
        if given is not None:
            postgres = Postgres(superuser_url=given)
            self._stack.callback(postgres.drop_all)
            return postgres
        server = self._stack.enter_context(EmbeddedPostgres(self.directory / "postgres", settings=POSTGRES_SETTINGS))
        return Postgres(superuser_url=server.superuser_url())

    @cached_property
    def redis_url(self) -> str:
        given = _given("TEST_REDIS_URL", _redis_answers)
        if given is not None:
            return given
        return self._stack.enter_context(EmbeddedRedis(self.directory / "redis", appendonly=False)).url()

    @cached_property
    def elasticsearch_url(self) -> str:
        given = _given("TEST_ELASTICSEARCH_URL", elasticsearch.answers)
        if given is not None:
            return given
        directory = self._in_memory() or self.directory / "elasticsearch"
        try:
            return self._stack.enter_context(elasticsearch.Elasticsearch(directory)).url
        except Unavailable as reason:
            return self._stack.enter_context(_elasticsearch_container(directory, reason)).url

    @cached_property
    def mongodb_url(self) -> str:
        given = _given("TEST_MONGODB_URL", ferretdb.answers)
        if given is not None:
            return given
        directory = self.directory / "mongodb"
        try:
            ferretdb.prepare()
        except Unavailable as reason:
            return self._stack.enter_context(_mongodb_container(directory, reason)).url
        backend = self.postgres.database().superuser_url
        return self._stack.enter_context(ferretdb.FerretDB(directory, backend)).url

    def pgbouncer(self, *urls: str, pool_mode: str = "transaction", **settings: str | int) -> PgBouncer:
        """A pooler in front of the server of `urls`, which name the users that it lets in."""
        directory = Path(tempfile.mkdtemp(prefix="pgbouncer-", dir=self.directory))
        return self._stack.enter_context(PgBouncer(directory, *urls, pool_mode=pool_mode, **settings))


def _given(variable: str, answers: Callable[[str], bool]) -> str | None:
    """The URL in an environment variable; one that nobody answers at is a mistake, not a reason to skip."""
    url = os.environ.get(variable)
    if url and not answers(url):
        raise ConnectionError(f"{variable} is set, but no such service answers there: {url}")
    return url or None


def _postgres_answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _redis_answers(url: str) -> bool:
    with redis.Redis.from_url(url, socket_timeout=5) as client:
        try:
            return bool(client.ping())
        except redis.exceptions.ConnectionError:
            return False


def _elasticsearch_container(directory: Path, reason: Unavailable) -> docker.Container:
    return docker.container(
        docker.ELASTICSEARCH,
        9200,
        directory,
        scheme="http",
        answers=elasticsearch.answers,
        environment={
            "discovery.type": "single-node",
            "xpack.security.enabled": "false",
            "ES_JAVA_OPTS": "-Xms512m -Xmx512m",
        },
        otherwise=reason,
    )


def _mongodb_container(directory: Path, reason: Unavailable) -> docker.Container:
    return docker.container(
        docker.MONGODB, 27017, directory, scheme="mongodb", answers=ferretdb.answers, environment={}, otherwise=reason
    )


def _remove_leftovers(place: Path) -> None:
    for directory in place.glob(f"{PREFIX}*"):
        lock = DirectoryLock(directory)
        try:
            lock.acquire()
        except (DirectoryInUse, OSError):
            continue
        _remove(directory)
        lock.release()


def _remove(directory: Path) -> None:
    for path in directory.iterdir():
        if path.is_symlink():
            shutil.rmtree(path.resolve(), ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)
