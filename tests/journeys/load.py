"""Commands and queries that go on while something else happens, and miss nothing meanwhile."""

import itertools
import threading
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from tests.journeys.reading import KINDS, PARTS, Part, Seen, body, lost
from tests.journeys.system import System


class Load:
    """A writer, and a reader of each part. `before`: what they see at the beginning; `written`: under the same keys,
    the outcomes of the writer's commands, each record's last; `touched`: ids under which what was there changes."""

    def __init__(self, system: System, touched: Collection[str]) -> None:
        self._system = system
        self._over = threading.Event()
        self._parts = {part: part(system) for part in PARTS}
        self.touched = touched
        self.before: Seen = {key: value for seen in self._parts.values() for key, value in seen.items()}
        self.written: Seen = {}

    @contextmanager
    def going_on(self, accounts: Sequence[str], stage: str) -> Iterator[None]:
        """Writes and reads meanwhile: edits these accounts, and moves new deals to this stage. Raises what any of
        them found wrong."""
        with ThreadPoolExecutor(1 + len(self._parts)) as pool:
            writing = pool.submit(self._write_on, accounts, stage)
            reading = [pool.submit(self._read_on, part, before) for part, before in self._parts.items()]
            try:
                yield
            finally:
                self._over.set()
        writing.result()
        assert min(each.result() for each in reading) > 1

    def missing(self, now: Seen) -> Seen:
        """What was there before or has been written since, and isn't seen now or not as it must be."""
        return {**lost(self.before, now, self.touched), **_behind(self.written, now)}

    def _write_on(self, accounts: Sequence[str], stage: str) -> None:
        for number in itertools.count():
            if self._over.is_set():
                return
            self._write("PATCH", f"/accounts/{accounts[number % len(accounts)]}", {"phone": f"+49 30 {number:07}"})
            for kind in KINDS:
                made = self._write("POST", f"/{kind}", body(kind, f"Meanwhile New{number}"))
            self._write("POST", f"/deals/{made}/change-stage", {"stage": stage})

    def _write(self, method: str, path: str, content: Any) -> str:
        """Sends a command, and sees at once what it came to."""
        kind, outcome = path.split("/")[1], self._system.send(method, path, content)
        id = str(outcome["id"])
        assert self._system.get(f"/{kind}/{id}")["version"] == outcome["version"]
        self.written |= {(kind, id): outcome, ("audit", outcome["position"]): outcome}
        return id

    def _read_on(self, part: Part, before: Seen) -> int:
        """Reads a part again and again; how often."""
        kinds = {kind for kind, _ in before}
        times = 0
        while not self._over.is_set():
            written = {key: outcome for key, outcome in self.written.copy().items() if key[0] in kinds}
            now = part(self._system)
            assert {**lost(before, now, self.touched), **_behind(written, now)} == {}
            times += 1
        return times


def _behind(written: Seen, now: Seen) -> Seen:
    return {
        key: (outcome, now.get(key))
        for key, outcome in written.items()
        if key not in now or now[key]["version"] < outcome["version"]
    }
