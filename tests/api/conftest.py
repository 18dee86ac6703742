"""The API in this process, over real stores, with a worker that projects what it appends."""

import logging
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from dramatiq import Worker
from litestar.testing import TestClient

from api.app import create
from infrastructure.bootstrap import Application, build
from infrastructure.settings import Settings
from tests.api.leaks import Leaks, rows
from tests.api.stand import Company, company
from tests.fixtures import JWT_SECRET, MASTER_KEY, WIDE_LIMITS
from tests.mailbox import FROM, Mailbox, opened_mailbox


@pytest.fixture(scope="package")
def mailbox() -> Iterator[Mailbox]:
    """The mail that this run's API has sent, over SMTP."""
    with opened_mailbox() as mailbox:
        yield mailbox


@pytest.fixture(scope="package")
def api_settings(urls, redis_url, mailbox, tmp_path_factory) -> Settings:
    """The settings of this run's API; its keys in Redis have a prefix of their own."""
    return Settings.load(
        _env_file=None,
        environment="test",
        database_url=urls.app,
        database_owner_url=urls.owner,
        database_monitor_url=urls.monitor,
        redis_url=redis_url,
        redis_prefix=f"{{{secrets.token_hex(4)}}}",
        jwt_secret=JWT_SECRET,
        master_key=MASTER_KEY,
        smtp_host="127.0.0.1",
        smtp_port=mailbox.port,
        smtp_tls="none",
        mail_from=FROM,
        database_connections=8,
        api_threads=8,
        files_dir=tmp_path_factory.mktemp("files"),
        **WIDE_LIMITS,
    )


@pytest.fixture(scope="package")
def application(api_settings) -> Iterator[Application]:
    """The application, and a worker in threads. They end with this package: Hypothesis, in the tests behind it, takes
    the random numbers of other threads for those of its strategies."""
    application = build(api_settings)
    worker = Worker(application.broker, worker_timeout=20, worker_threads=2)
    worker.start()
    yield application
    application.engine.stop()
    worker.stop()
    application.close()


@pytest.fixture(scope="package")
def client(application) -> Iterator[TestClient[Any]]:
    """A client of the API, without credentials."""
    with TestClient(create(application), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="package", autouse=True)
def leaks(client, urls, mailbox) -> Iterator[Leaks]:
    """Whatever these tests send and are answered: at their end, no secret of it is in any log line or table."""
    leaks = Leaks(JWT_SECRET, MASTER_KEY)
    client.event_hooks = {"request": [leaks.of_request], "response": [leaks.of_response]}
    root, access = logging.getLogger(), logging.getLogger("clientforge.access")
    root.addHandler(leaks)
    level = access.level
    access.setLevel(logging.INFO)
    yield leaks
    access.setLevel(level)
    root.removeHandler(leaks)
    leaks.issued.update(mailbox.tokens)
    assert leaks.found_in("\n".join(leaks.lines)) == set()
    assert {table: found for table, text in rows(urls.superuser) if (found := leaks.found_in(text))} == {}


@pytest.fixture(scope="package")
def acme(application, client) -> Company:
    """A company that tests share: they add to it, and change nobody's rights."""
    return company(application, client)


@pytest.fixture(scope="package")
def rival(application, client) -> Company:
    """Another company, whose records are none of acme's business."""
    return company(application, client)


@pytest.fixture
def startup(application, client) -> Company:
    """A company of one test alone."""
    return company(application, client)
