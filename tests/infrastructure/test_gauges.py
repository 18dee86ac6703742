"""What is read when somebody asks, while several ask at once."""

import time
from concurrent.futures import ThreadPoolExecutor

from infrastructure.gauges import StoreGauges


def test_scrapes_that_overlap_are_all_answered():
    stores = StoreGauges({"slow": lambda: time.sleep(0.05), "down": _refuse})

    def scrape(_: int) -> dict[str, float]:
        [family] = stores.collect()
        return {sample.labels["store"]: sample.value for sample in family.samples}

    with ThreadPoolExecutor(8) as scrapers:
        assert list(scrapers.map(scrape, range(16))) == [{"slow": 1, "down": 0}] * 16


def _refuse() -> None:
    raise ConnectionError
