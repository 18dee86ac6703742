"""How a process is asked to stop: by SIGTERM or SIGINT, which ends what it is at and breaks off nothing."""

import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Whether a stop was asked. A signal's handler may ask at any moment, so no lock is taken: a pipe wakes."""

    def __init__(self) -> None:
        self.asked = False
        self._tell: list[Callable[[], object]] = []
        self._read, self._write = os.pipe()

    def ask(self) -> None:
        """Asks for the stop. Who asks again asks in vain: what is told of it may hold a lock just now."""
        if self.asked:
            return
        self.asked = True
        os.write(self._write, b".")
        for tell in self._tell:
            tell()

    def also(self, tell: Callable[[], object]) -> None:
        """Has something told of the stop, at once if it was asked already."""
        self._tell.append(tell)
        if self.asked:
            tell()

    def wait(self, seconds: float) -> bool:
        """Waits until a stop is asked, so long at most; whether one was."""
        if not self.asked:
            select.select([self._read], [], [], seconds)
        return self.asked

    def close(self) -> None:
        """Closes the pipe."""
        os.close(self._read)
        os.close(self._write)


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """A stop that SIGTERM and SIGINT ask for as long as this lasts; to be used in the main thread, around all that a
    process opens and closes: outside of it, a signal ends the process as it stands."""
    stop = Stop()

    def asked(_number: int, _frame: FrameType | None) -> None:
        stop.ask()

    before = {each: signal.signal(each, asked) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        stop.close()
