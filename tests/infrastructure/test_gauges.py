"""What is read when somebody asks, while several ask at once."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

from infrastructure.gauges import StoreGauges
from infrastructure.pulse import Pulse
from infrastructure.telemetry import Telemetry


def test_scrapes_that_overlap_are_all_answered():
    stores = StoreGauges({"slow": lambda: time.sleep(0.05), "down": _refuse})

    def scrape(_: int) -> dict[str, float]:
        [family] = stores.collect()
        return {sample.labels["store"]: sample.value for sample in family.samples}

    with ThreadPoolExecutor(8) as scrapers:
        assert list(scrapers.map(scrape, range(16))) == [{"slow": 1, "down": 0}] * 16


def test_who_knows_of_a_process_knows_its_memory():
    telemetry = Telemetry()
    Pulse(telemetry, "worker", []).close()
    told = telemetry.exposition().decode()
    for name in ("processes", "process_resident_memory_bytes", "process_start_time_seconds"):
        assert re.search(rf'^clientforge_{name}{{kind="worker"}} [1-9]', told, re.MULTILINE), name


def _refuse() -> None:
    raise ConnectionError
