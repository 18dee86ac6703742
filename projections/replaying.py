"""A log told again from its beginning, for an audit: what the trail should hold, made anew from the events alone."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import takewhile
from typing import Protocol
from uuid import UUID

from application.ports import EventStore
from application.recording import Recorded
from projections.audit.trail import AuditEntry, KeyReader, audit_documents, opened
from projections.changes import folded

_PAGE = 500


class Log(EventStore, KeyReader, Protocol):
    """The tenants' logs, with the keys to what is sealed in them."""


def replay(log: Log, tenant: UUID, *, stream: str | None = None, until: int | None = None) -> Iterator[AuditEntry]:
    """Each event of a tenant, or of one of its streams, in order, up to position `until`, with its record before and
    after. Holds a page of the log and the streams that it touches, however long the log is. Raises KeyMissing.
    """
    pages = _log(log, tenant, until) if stream is None else _stream(log, tenant, stream, until)
    after = 0
    for page in pages:
        batch = folded(tenant, after, page, partial(_prior, log, tenant))
        yield from opened(tenant, log, audit_documents(batch))
        after = batch.until


def _log(log: EventStore, tenant: UUID, until: int | None) -> Iterator[Sequence[Recorded]]:
    after = 0
    while page := log.log(tenant, after=after, limit=_PAGE, sealed=True):
        after = page[-1].position
        if until is not None and after >= until:
            page = list(takewhile(lambda each: each.position <= until, page))
            if page:
                yield page
            return
        yield page


def _stream(log: EventStore, tenant: UUID, stream: str, until: int | None) -> Iterator[Sequence[Recorded]]:
    if events := log.stream(tenant, stream, until=until, sealed=True):
        yield events


def _prior(log: EventStore, tenant: UUID, streams: Sequence[str], position: int) -> Mapping[str, Sequence[Recorded]]:
    return log.streams(tenant, streams, until=position, sealed=True)
