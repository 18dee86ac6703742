"""The stores of a process, with what is asked of them counted and timed."""

import time
from collections.abc import Callable
from typing import Any, TypeVar, cast
from uuid import UUID

from application.ports import Append, Appended, Conflict, EventStore
from infrastructure.telemetry import Telemetry

S = TypeVar("S")


def counted(store: EventStore, telemetry: Telemetry) -> EventStore:
    """The same event store, its appends and conflicts counted."""
    return cast(EventStore, _CountedStore(store, telemetry))


def timed(store: S, name: str, telemetry: Telemetry) -> S:
    """The same search index or audit trail, its calls timed and its errors counted."""
    return cast(S, _Timed(store, name, telemetry))


class _CountedStore:
    """Counts appends; all else is the store's own."""

    def __init__(self, store: EventStore, telemetry: Telemetry) -> None:
        self._store = store
        self._telemetry = telemetry

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def append(self, tenant: UUID, append: Append) -> Appended:
        started = time.perf_counter()
        try:
            appended = self._store.append(tenant, append)
        except Conflict as conflict:
            self._telemetry.conflicts.labels(type(conflict).__name__).inc()
            raise
        if not appended.replayed:
            self._telemetry.append_seconds.observe(time.perf_counter() - started)
            self._telemetry.appends.inc()
            self._telemetry.events.inc(sum(len(change.events) for change in append.changes))
        return appended


class _Timed:
    """Times every call; all else is the store's own."""

    def __init__(self, store: object, name: str, telemetry: Telemetry) -> None:
        self._store = store
        self._name = name
        self._telemetry = telemetry

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        return self._watched(found) if callable(found) else found

    def _watched(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            started, failed = time.perf_counter(), True
            try:
                answer = call(*arguments, **named)
                failed = False
                return answer
            finally:
                self._telemetry.asked(self._name, time.perf_counter() - started, failed)

        return run
