"""pytest fixtures for the services: nothing is started before a test asks for it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.services import haproxy, prometheus
from tests.services.availability import Unavailable
from tests.services.databases import Postgres
from tests.services.pgbouncer import PgBouncer
from tests.services.session import ServiceSession

Service = TypeVar("Service")
MISSING = pytest.StashKey[dict[str, str]]()


@pytest.fixture(scope="session")
def services() -> Iterator[ServiceSession]:
    """The services of this run. Tests ask for one of the fixtures below instead."""
    with ServiceSession() as session:
        yield session


@pytest.fixture(scope="session")
def postgres(services: ServiceSession) -> Postgres:
    """A PostgreSQL server: `.superuser_url`, and `.database()` for a fresh database."""
    return services.postgres


@pytest.fixture(scope="session")
def redis_url(services: ServiceSession) -> str:
    """A Redis server of this run's own, unless TEST_REDIS_URL names another."""
    return services.redis_url


@pytest.fixture(scope="session")
def elasticsearch_url(services: ServiceSession, pytestconfig: pytest.Config) -> str:
    """An Elasticsearch 9 node. Indices are shared by the run: name them after the test's database or tenant."""
    return _available(pytestconfig, "Elasticsearch", lambda: services.elasticsearch_url)


@pytest.fixture(scope="session")
def mongodb_url(services: ServiceSession, pytestconfig: pytest.Config) -> str:
    """A server that speaks MongoDB's protocol, without a database in the URL: each test names its own."""
    return _available(pytestconfig, "MongoDB", lambda: services.mongodb_url)


@pytest.fixture(scope="session")
def pgbouncer(services: ServiceSession, pytestconfig: pytest.Config) -> Callable[..., PgBouncer]:
    """A factory: `pgbouncer(url, pool_mode="transaction", default_pool_size=1).url` is `url` through a pooler."""

    def start(*urls: str, pool_mode: str = "transaction", **settings: str | int) -> PgBouncer:
        return _available(pytestconfig, "PgBouncer", lambda: services.pgbouncer(*urls, pool_mode=pool_mode, **settings))

    return start


@pytest.fixture(scope="session")
def prometheus_programs(pytestconfig: pytest.Config) -> Path:
    """The directory with `prometheus`, `promtool`, `alertmanager` and `amtool`."""
    return _available(pytestconfig, "Prometheus", prometheus.prepare)


@pytest.fixture(scope="session")
def haproxy_program(pytestconfig: pytest.Config) -> Path:
    """HAProxy's program."""
    return _available(pytestconfig, "HAProxy", haproxy.prepare)


def _available(config: pytest.Config, name: str, get: Callable[[], Service]) -> Service:
    """The service, or the end of the test: a failure in CI, a skip elsewhere."""
    try:
        return get()
    except Unavailable as reason:
        config.stash.setdefault(MISSING, {})[name] = str(reason)
        in_short = str(reason).splitlines()[0]
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is missing, and CI skips nothing: {in_short}", pytrace=False)
        pytest.skip(f"{name} is missing: {in_short}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which services were missing: a green run without them has not shown everything."""
    missing = config.stash.get(MISSING, {})
    if missing:
        terminalreporter.section("services that were missing", red=True)
    for name, reason in sorted(missing.items()):
        terminalreporter.line(f"{name}: {reason}")
