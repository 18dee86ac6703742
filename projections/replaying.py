"""A log told again from its beginning, for an audit: what the trail should hold, made anew from the events alone."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any, Protocol
from uuid import UUID

from application.catalogue import evolved, is_journal
from application.ports import EventStore
from application.recording import Recorded
from projections.audit.trail import AuditEntry, KeyReader, audit_documents, opened
from projections.changes import Batch, Change

_PAGE = 500


class Log(EventStore, KeyReader, Protocol):
    """The tenants' logs, with the keys to what is sealed in them."""


def replay(
    log: Log, tenant: UUID, *, stream: str | None = None, until: int | None = None, kept: int = 5_000
) -> Iterator[AuditEntry]:
    """Each event of a tenant, or of one of its streams, in order, up to position `until`, with its record before and
    after. Holds a page of the log and `kept` records, however long the log is. Raises KeyMissing.
    """
    records = _Records(log, tenant, kept)
    for page in _log(log, tenant, until) if stream is None else _stream(log, tenant, stream, until):
        yield from opened(tenant, log, audit_documents(records.after(page)))


def _log(log: EventStore, tenant: UUID, until: int | None) -> Iterator[Sequence[Recorded]]:
    after = 0
    while page := log.log(tenant, after=after, limit=_PAGE, sealed=True):
        after = page[-1].position
        if until is not None and after >= until:
            yield list(takewhile(lambda each: each.position <= until, page))
            return
        yield page


def _stream(log: EventStore, tenant: UUID, stream: str, until: int | None) -> Iterator[Sequence[Recorded]]:
    yield log.stream(tenant, stream, until=until, sealed=True)


class _Records:
    """The records that the pages so far have made. Those not met for long are forgotten, and read again when met."""

    def __init__(self, log: EventStore, tenant: UUID, kept: int) -> None:
        self._log = log
        self._tenant = tenant
        self._kept = kept
        self._states: OrderedDict[str, Any] = OrderedDict()

    def after(self, page: Sequence[Recorded]) -> Batch:
        """The next page, each event with its record before and after."""
        start = page[0].position - 1 if page else 0
        first = {each.stream: each.version for each in reversed(page)}
        old = {each for each, version in first.items() if version > 1 and not is_journal(each)}
        self._recall(old - self._states.keys(), start)
        changes = [self._change(recorded) for recorded in page]
        while len(self._states) > self._kept:
            self._states.popitem(last=False)
        return Batch(
            tenant=self._tenant,
            after=start,
            until=page[-1].position if page else start,
            changes=changes,
            stories={},
        )

    def _recall(self, streams: set[str], until: int) -> None:
        for events in self._log.streams(self._tenant, streams, until=until, sealed=True).values():
            for recorded in events:
                self._change(recorded)

    def _change(self, recorded: Recorded) -> Change:
        before = self._states.pop(recorded.stream, None)
        after = evolved(recorded.entity, before, recorded.event)
        self._states[recorded.stream] = after
        return Change(recorded=recorded, before=before, after=after)
