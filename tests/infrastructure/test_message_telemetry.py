"""What the metrics tell of messages that fail: alerts watch it."""

import secrets
import time

import pytest
from dramatiq import Worker
from uuid_utils.compat import uuid7

from infrastructure.bootstrap import build
from infrastructure.mailing import Mailing
from infrastructure.queue_health import Queues
from infrastructure.settings import Settings
from infrastructure.smtp import MailAway
from infrastructure.telemetry import Telemetry
from infrastructure.wakeups import QUEUE
from projections.engine import Engine
from tests.fixtures import JWT_SECRET, MASTER_KEY

OUTCOMES = ("done", "failed", "put_back", "dead")


@pytest.fixture
def telemetry():
    return Telemetry()


@pytest.fixture
def application(urls, redis_url, telemetry):
    """An application with an own prefix in Redis, and a worker that takes its messages."""
    settings = Settings.load(
        _env_file=None,
        environment="test",
        database_url=urls.app,
        redis_url=redis_url,
        redis_prefix=f"{{{secrets.token_hex(4)}}}",
        jwt_secret=JWT_SECRET,
        master_key=MASTER_KEY,
        retry_base_seconds=0.01,
    )
    application = build(settings, telemetry=telemetry)
    worker = Worker(application.broker, worker_timeout=20, worker_threads=1)
    worker.start()
    yield application
    worker.stop()
    application.broker.client.close()
    application.close()


def test_each_failed_try_and_the_end_of_a_message_are_counted(application, telemetry, monkeypatch):
    def broken(self, group, tenant):
        raise RuntimeError

    monkeypatch.setattr(Engine, "drain", broken)
    application.announcements.wake([("relational", uuid7())])
    wait_for(telemetry, "dead")
    assert counted(telemetry) == {"done": 0, "failed": 6, "put_back": 0, "dead": 1}


def test_waiting_for_its_turn_is_no_try_of_a_mail(application, telemetry, monkeypatch):
    turns = iter([*[False] * 6, None, True])

    def send(self, tenant, user, kind):
        turn = next(turns)
        if turn is None:
            raise RuntimeError
        return turn

    monkeypatch.setattr(Mailing, "send", send)
    monkeypatch.setattr("infrastructure.mailing._BUSY_MS", 10)
    application.announcements.mail(uuid7(), uuid7(), "reset")
    wait_for(telemetry, "done")
    assert counted(telemetry) == {"done": 1, "failed": 1, "put_back": 6, "dead": 0}


@pytest.mark.parametrize(("fails", "outcome", "figures"), [(False, "put_back", (1, 0, 0)), (True, "failed", (0, 0, 1))])
def test_a_mail_that_waits_for_its_turn_has_not_failed(application, telemetry, monkeypatch, fails, outcome, figures):
    def send(self, tenant, user, kind):
        if fails:
            raise MailAway
        return False

    monkeypatch.setattr(Mailing, "send", send)
    monkeypatch.setattr("infrastructure.mailing._BUSY_MS", 60_000)
    application.announcements.mail(uuid7(), uuid7(), "reset")
    wait_for(telemetry, outcome)
    queues = Queues(application.redis, prefix=application.settings.redis_prefix)
    deadline = time.monotonic() + 20
    while ((found := queues.health().queues[0]).waiting, found.in_progress, found.delayed) != figures:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def counted(telemetry):
    return {outcome: telemetry.messages.labels(QUEUE, outcome)._value.get() for outcome in OUTCOMES}


def wait_for(telemetry, outcome):
    deadline = time.monotonic() + 20
    while counted(telemetry)[outcome] == 0:
        assert time.monotonic() < deadline, counted(telemetry)
        time.sleep(0.02)
