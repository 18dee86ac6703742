"""What is read when somebody asks: while several ask at once, and where something can not be read."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from infrastructure.gauges import ProjectionGauges, StoreGauges
from infrastructure.monitor import Monitor
from infrastructure.postgres import Database
from infrastructure.pulse import Pulse
from infrastructure.telemetry import Telemetry


def test_scrapes_that_overlap_are_all_answered():
    stores = StoreGauges({"slow": lambda: time.sleep(0.05), "down": _refuse})

    def scrape(_: int) -> dict[str, float]:
        [family] = stores.collect()
        return {sample.labels["store"]: sample.value for sample in family.samples}

    with ThreadPoolExecutor(8) as scrapers:
        assert list(scrapers.map(scrape, range(16))) == [{"slow": 1, "down": 0}] * 16


@pytest.mark.parametrize(
    ("right", "up"), [("GRANT SELECT (position) ON events TO", 1), ("REVOKE ALL ON events FROM", 0)]
)
def test_a_monitor_that_may_not_read_lags_says_so_and_hides_nothing_else(fresh_urls, right, up):
    with psycopg.connect(fresh_urls.owner) as owner:
        owner.execute(f"{right} clientforge_monitor")
    with closing(Monitor.open(fresh_urls.monitor, [])) as monitor:
        first, *_ = ProjectionGauges(monitor).collect()
    assert (first.name, [sample.value for sample in first.samples]) == ("clientforge_monitor_up", [up])


def test_who_knows_of_a_process_knows_its_memory():
    telemetry = Telemetry()
    Pulse(telemetry, "worker", dict).close()
    told = telemetry.exposition().decode()
    for name in ("processes", "process_resident_memory_bytes", "process_start_time_seconds"):
        assert re.search(rf'^clientforge_{name}{{kind="worker"}} [1-9]', told, re.MULTILINE), name


def test_a_process_tells_of_each_of_its_pools():
    telemetry, nowhere = Telemetry(), "postgresql://nobody@127.0.0.1:1/nothing"
    with closing(Database(nowhere, connections=3)) as one, closing(Database(nowhere, connections=5)) as another:
        Pulse(telemetry, "worker", lambda: {"application": one, "engine": another}).close()
    told = telemetry.exposition().decode()
    limits = re.findall(r'^clientforge_pool_connections_limit{pool="(\w+)"} (\S+)$', told, re.MULTILINE)
    assert limits == [("application", "3.0"), ("engine", "5.0")]
    for name, _ in limits:
        assert f'clientforge_pool_connections{{pool="{name}",state="in_use"}} 0.0' in told
        assert f'clientforge_pool_requests_waiting{{pool="{name}"}} 0.0' in told


def _refuse() -> None:
    raise ConnectionError
