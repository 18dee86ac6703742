"""Worker and sweeper as processes: killed, stopped, and of no use."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from uuid_utils.compat import uuid7

from infrastructure.embedded_search import PostgresIndex
from infrastructure.embedded_trail import PostgresTrail
from projections.ports import AuditQuery
from tests.faults.stand import Stand, eventually
from tests.faults.stores import TABLES
from tests.fixtures import MASTER_KEY


@pytest.fixture
def environment(projectors, urls, tmp_path):
    """The settings of a process, as environment variables."""
    return {
        **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "PYTHONPATH", "LANG")},
        "DATABASE_URL": urls.app,
        "DATABASE_MONITOR_URL": urls.monitor,
        "REDIS_URL": projectors.redis_url,
        "REDIS_PREFIX": projectors.prefix,
        "JWT_SECRET": "a secret of a test, long enough to be one",
        "MASTER_KEY": MASTER_KEY,
        "ENVIRONMENT": "test",
        "SWEEP_SECONDS": "0.1",
        "RETRY_BASE_SECONDS": "0.1",
        "TMPDIR": str(tmp_path),  # whoever is killed leaves things there
    }


@contextmanager
def process(environment: dict[str, str], *arguments: str, code: str | None = None) -> Iterator[subprocess.Popen[str]]:
    """A Python process; killed at the end when it is still there."""
    command = [sys.executable, *(["-c", code] if code else ["-m", *arguments])]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as started:
        try:
            assert started.stdout is not None
            assert started.stdout.readline() == "ready\n"
            yield started
        finally:
            started.kill()


def worker(environment: dict[str, str], how: str = "work"):
    """The slow worker of these tests."""
    return process(environment, "tests.faults.worker_process", how)


RUN = "from infrastructure.{0} import run; from infrastructure.settings import Settings; print('ready', flush=True); \
run(Settings.load(_env_file=None))"


def positions(stand: Stand, tenant) -> dict[str, int]:
    return {
        name: position for name, position in stand.positions(tenant).items() if name in (*TABLES, "search", "audit")
    }


def test_a_worker_that_is_killed_in_the_middle_of_a_batch_loses_and_repeats_nothing(projectors, environment):
    stand, tenants = projectors.stand, [uuid7() for _ in range(2)]
    streams = {tenant: projectors.open(tenant, 600) for tenant in tenants}
    for tenant in tenants:
        for stream in streams[tenant][:100]:
            stand.edit(tenant, stream, 1)
    chance = random.Random(1)
    for _ in range(3):
        with worker(environment) as started:
            eventually(lambda: projectors.sweep(*tenants) is not None and in_a_batch(stand, tenants))
            time.sleep(chance.uniform(0, 0.1))
            started.send_signal(signal.SIGKILL)
        for tenant in tenants:
            for table in TABLES:
                assert sum(events for _, _, events, _ in stand.rows(tenant, table)) == stand.positions(tenant)[table]
    with worker(environment):
        eventually(lambda: projectors.sweep(*tenants) is not None and projectors.is_done(*tenants), within=60)
    for tenant in tenants:
        stories = stand.store.streams(tenant, streams[tenant])
        expected = sorted((name, story[-1].position, len(story)) for name, story in stories.items())
        for table in TABLES:
            assert [row[:3] for row in stand.rows(tenant, table)] == expected
        documents = PostgresIndex(stand.database).documents(tenant, 1, "deal")
        assert sorted(each.position for each in documents) == sorted(position for _, position, _ in expected)
        trail = PostgresTrail(stand.database).find(tenant, 1, AuditQuery(limit=10_000))
        assert [each.position for each in trail] == list(range(700, 0, -1))


def in_a_batch(stand: Stand, tenants) -> bool:
    """Whether a checkpoint is held by somebody."""
    for tenant in tenants:
        with stand.database.transaction(tenant) as transaction:
            free = transaction.execute(
                "SELECT 1 FROM projection_checkpoints WHERE tenant_id = %(tenant)s FOR UPDATE SKIP LOCKED"
            )
            every = transaction.execute("SELECT 1 FROM projection_checkpoints WHERE tenant_id = %(tenant)s")
        if len(free) < len(every):
            return True
    return False


def test_a_stopped_worker_finishes_its_batch_and_leaves_the_rest_to_others(projectors, environment, tenant):
    stand = projectors.stand
    projectors.open(tenant, 1000)
    with worker(environment) as started:
        eventually(lambda: stand.positions(tenant)[TABLES[0]] >= 100)
        started.send_signal(signal.SIGTERM)
        assert started.wait(20) == 0
    position = stand.positions(tenant)[TABLES[0]]
    assert position < 1000
    assert position % 50 == 0
    assert len(stand.rows(tenant)) == position
    health = projectors.queue.health()
    assert (health.workers, health.queues[0].in_progress) == (0, 0)
    assert health.queues[0].waiting > 0
    with projectors.working():
        eventually(lambda: projectors.is_done(tenant), within=30)


def test_a_worker_whose_consumers_died_ends_with_an_error(environment):
    with worker(environment, "dying") as started:
        assert started.wait(20) == 1


def test_a_worker_is_seen_while_it_works(projectors, environment):
    with worker(environment) as started:
        eventually(lambda: projectors.queue.health().workers == 1)
        started.send_signal(signal.SIGINT)
        assert started.wait(20) == 0


def test_several_workers_log_json_and_end_together(projectors, environment, tenant, tmp_path):
    command = [sys.executable, "-m", "api.commandline", "worker"]
    variables, log = {**environment, "WORKER_PROCESSES": "2"}, tmp_path / "log"
    with log.open("wb") as output:
        started = subprocess.Popen(command, env=variables, stdout=output, stderr=output, cwd=tmp_path)
    try:
        eventually(lambda: projectors.queue.health().workers == 2, within=30)
        projectors.open(tenant, 1)
        eventually(lambda: log.read_text().count("projected") >= 3)
    finally:
        started.terminate()
        assert started.wait(30) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    told = {each["group"]: each["tenant"] for each in lines if each["message"] == "projected"}
    assert told == dict.fromkeys(("relational", "search", "audit"), str(tenant))


def test_the_sweeper_projects_without_redis_and_ends_when_asked(projectors, environment, tenant):
    """A sweeper and nothing else: no worker, and nobody at the address of Redis."""
    stand = projectors.stand
    stand.open(tenant, 3)
    with process({**environment, "REDIS_URL": "redis://127.0.0.1:1"}, code=RUN.format("sweeper")) as started:
        found = "SELECT position FROM projection_checkpoints WHERE tenant_id = %(tenant)s AND projection = 'audit'"
        eventually(lambda: stand.database.read(tenant, found) == [{"position": 3}], within=30)
        started.send_signal(signal.SIGTERM)
        assert started.wait(20) == 0


def test_the_sweeper_wakes_the_workers(projectors, environment, tenant):
    projectors.stand.open(tenant, 3)
    with process(environment, code=RUN.format("sweeper")) as started, worker(environment):
        eventually(lambda: projectors.is_done(tenant), within=30)
        assert projectors.queue.health().swept_seconds is not None
        started.send_signal(signal.SIGTERM)
        assert started.wait(20) == 0


STOPPED_EARLY_AND_LATE = """
import os, signal
import infrastructure.{0} as module
from infrastructure.settings import Settings

build = module.build

def built(*arguments, **options):
    app = build(*arguments, **options)
    close = app.close
    def closed():
        os.kill(os.getpid(), signal.SIGTERM)
        close()
        print("closed", flush=True)
    app.close = closed
    os.kill(os.getpid(), signal.SIGTERM)
    return app

module.build = built
print("ready", flush=True)
module.run(Settings.load(_env_file=None){1})
"""


@pytest.mark.parametrize(("which", "logs"), [("worker", ", {'version': 1}"), ("sweeper", "")])
def test_a_stop_before_the_work_begins_and_another_while_connections_close_end_a_process_well(which, logs, environment):
    with process(environment, code=STOPPED_EARLY_AND_LATE.format(which, logs)) as started:
        out, _ = started.communicate(timeout=60)
        assert out == "closed\n"
        assert started.returncode == 0
