"""Appends of one event by 16 writers in 4 processes: ours, the library's recorder, and a bare INSERT and COMMIT.

They are measured in turns, several times, so that a drift of the machine's speed meets all alike. Ours seals the
event's personal data, chains the event, and is bound by row-level security; `edit` appends to a contact that is there,
`new` makes one, which stores its key as a second row. The bare table has the log's columns and indexes.
"""

import multiprocessing
import statistics
import time
from collections.abc import Sequence
from threading import Thread
from typing import Any
from uuid import UUID, uuid4

import psycopg

from infrastructure.postgres import Database
from tests.fixtures import DatabaseUrls
from tests.performance.report import Figure, Gate, Result
from tests.performance.writers import KINDS, create_bare_table, create_library_table

PROCESSES, THREADS, SECONDS, ROUNDS = 4, 4, 3.0, 5
WARM_UP = 1.0
"""Seconds that are not counted: right after a checkpoint each page that is touched is logged whole."""
SPAWN = multiprocessing.get_context("spawn")


def measure(urls: DatabaseUrls) -> Result:
    """Rates and their ratios: medians of the rounds."""
    create_library_table(urls)
    create_bare_table(urls)
    many, one = [uuid4() for _ in range(100)], [uuid4()]
    hundred = _rounds("append, 100 tenants", urls, many, ("edit", "new", "bare", "library"))
    single = _rounds("append, 1 tenant", urls, one, ("edit", "library"))
    return Result(
        [*hundred.figures, *single.figures],
        [
            hundred.gate("edit", "library", 3.5),
            hundred.gate("edit", "bare", 0.65),
            single.gate("edit", "library", 1.3),
        ],
    )


class Rounds:
    """The rates of several kinds of appends, measured in turns."""

    def __init__(self, label: str, rates: Sequence[dict[str, float]]) -> None:
        self._label = label
        self._rates = rates

    @property
    def figures(self) -> list[Figure]:
        """The median of each kind."""
        return [
            Figure(f"{self._label}, {kind}", statistics.median(each[kind] for each in self._rates), "events/s")
            for kind in self._rates[0]
        ]

    def gate(self, kind: str, other: str, floor: float) -> Gate:
        """The median of the rounds' ratios."""
        ratio = statistics.median(each[kind] / each[other] for each in self._rates)
        return Gate(f"{self._label}, {kind} / {other}", ratio, at_least=floor)


def _rounds(label: str, urls: DatabaseUrls, tenants: list[UUID], kinds: Sequence[str]) -> Rounds:
    return Rounds(label, [{kind: rate(kind, urls, tenants) for kind in kinds} for _ in range(ROUNDS)])


def rate(kind: str, urls: DatabaseUrls, tenants: list[UUID]) -> float:
    """Appends per second of all writers together."""
    with psycopg.connect(urls.superuser, autocommit=True) as connection:
        connection.execute("CHECKPOINT")  # so that none pays for the pages that another has touched
    start, counts = SPAWN.Barrier(PROCESSES), SPAWN.Queue()
    workers = [
        SPAWN.Process(target=_work, args=(kind, urls, tenants, number, start, counts)) for number in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    total = sum(counts.get(timeout=300) for _ in workers)
    for worker in workers:
        worker.join()
    return float(total) / SECONDS


def _work(kind: str, urls: DatabaseUrls, tenants: list[UUID], number: int, start: Any, counts: Any) -> None:
    """One process: its threads write until the time is over, and it says how often they did."""
    database = Database(urls.app, connections=THREADS)
    first = number * THREADS
    writers = [KINDS[kind](urls, database, tenants[each % len(tenants) :]) for each in range(first, first + THREADS)]
    for writer in writers:
        writer()
    done = [0] * THREADS
    start.wait()
    begin = time.monotonic() + WARM_UP
    end = begin + SECONDS

    def write(thread: int) -> None:
        while time.monotonic() < begin:
            writers[thread]()
        while time.monotonic() < end:
            writers[thread]()
            done[thread] += 1

    threads = [Thread(target=write, args=(thread,)) for thread in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts.put(sum(done))
    database.close()
