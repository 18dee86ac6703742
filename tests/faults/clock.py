"""Time that passes only while somebody sleeps: what is said about spans of it holds on a slow machine as on a fast."""

import asyncio
import selectors
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class Clock:
    """Stands in for the module `time`, and runs coroutines in an event loop that puts it forward where others sleep."""

    def __init__(self) -> None:
        self._now = 0.0
        self._loop = _Loop(self)

    def monotonic(self) -> float:
        """Seconds since it was made."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Puts it forward."""
        self._now += seconds

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """What a coroutine comes to."""
        return self._loop.run_until_complete(work)

    def close(self) -> None:
        """Runs nothing any more."""
        self._loop.close()


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: Clock) -> None:
        super().__init__(_Selector(clock))
        self._of = clock
        self.set_default_executor(_AtOnce())

    def time(self) -> float:
        return self._of.monotonic()


class _Selector(selectors.SelectSelector):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._clock.sleep(timeout or 0)
        return super().select(0)


class _AtOnce(ThreadPoolExecutor):
    """Does what threads would do before it returns."""

    def submit(self, work: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(work(*arguments, **named))
        except Exception as error:
            done.set_exception(error)
        return done
