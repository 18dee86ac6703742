"""Whose work this is: ids that every log line of a request, of a message and of its projecting carries."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_ids: ContextVar[dict[str, str] | None] = ContextVar("ids", default=None)

CARRIED = ("request", "correlation")
"""What a message takes along from the request that sent it."""


@contextmanager
def about(**ids: object) -> Iterator[None]:
    """Has all log lines of this block carry these ids besides those that it stands in; None is no id.

    Threads share them when they run in a copy of this context.
    """
    token = _ids.set({**present(), **_known(ids)})
    try:
        yield
    finally:
        _ids.reset(token)


def note(**ids: object) -> None:
    """Adds ids that became known on the way to the innermost `about`, for all who share it."""
    found = _ids.get()
    if found is not None:
        found.update(_known(ids))


def present() -> Mapping[str, str]:
    """The ids of what is at work here."""
    return _ids.get() or {}


def _known(ids: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in ids.items() if value is not None}
