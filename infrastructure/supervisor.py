"""Keeps the services of a system on one machine running, in order, and ends them in the reverse one."""

import signal
import time
from collections.abc import Callable
from typing import Protocol

from infrastructure.processes import Say

_LOOK_SECONDS = 0.1
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_STEADY_SECONDS = 60.0
"""A service that has run this long starts again from the first pause when it ends."""


class Service(Protocol):
    """Something that is kept running. `start` returns when it is; an ended one may be started again."""

    name: str

    @property
    def running(self) -> bool: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Supervisor:
    """Starts services in the order in which they are added, starts ended ones again, and stops all."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._watched: list[_Watched] = []

    def add(self, service: Service) -> None:
        """Starts a service and keeps it running from now on. Raises what its start raises."""
        self._watched.append(_Watched(service))
        service.start()

    def look(self) -> None:
        """Starts what has ended again, each after its own growing pause."""
        for watched in self._watched:
            watched.look(self._say)

    def run(self, until: Callable[[], bool]) -> None:
        """Keeps all running until `until()`."""
        while not until():
            self.look()
            time.sleep(_LOOK_SECONDS)

    def stop(self) -> None:
        """Stops all, the last added first."""
        while self._watched:
            self._watched.pop().service.stop()


class _Watched:
    def __init__(self, service: Service) -> None:
        self.service = service
        self._started = time.monotonic()
        self._pause = _FIRST_PAUSE
        self._again_at: float | None = None

    def look(self, say: Say) -> None:
        now = time.monotonic()
        if self.service.running:
            return
        if self._again_at is None:
            if now - self._started > _STEADY_SECONDS:
                self._pause = _FIRST_PAUSE
            self._again_at = now + self._pause
            say(self.service.name, f"ended{_how(self.service)}; it starts again in {self._pause:g} s")
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        elif now >= self._again_at:
            self._again_at = None
            self._started = now
            try:
                self.service.start()
            except Exception as error:
                say(self.service.name, str(error))


def _how(service: Service) -> str:
    code = getattr(service, "exit_code", None)
    if code is None:
        return ""
    return f" by {signal.Signals(-code).name}" if code < 0 else f" with exit code {code}"
