"""The audit trail: who did what, when and from where, with the record before and after; sealed, opened to be read."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Protocol
from uuid import UUID

import msgspec
from msgspec import NODEFAULT, Struct, structs

from application.recording import Recorded, personal_subject, stream_subject
from domain.kernel import Sealed
from projections.audit.sight import positions, sees_all
from projections.changes import Batch
from projections.pages import Cursors, InvalidSort, Page, PageRequest, Position
from projections.ports import AuditDocument, AuditQuery, AuditTrail, Database
from projections.viewer import Viewer

PERSONAL = "personal"
ERASED: Mapping[str, Any] = {"kind": "erased"}


class Keys(Protocol):
    """What opens the personal data of some subjects; None where it was erased."""

    def open(self, subject: UUID, sealed: Sealed) -> bytes | None:
        """What was sealed. Raises KeyMissing."""


class KeyReader(Protocol):
    """Reads subjects' keys; the event store is one."""

    def opener(self, tenant: UUID, subjects: Collection[UUID]) -> Keys:
        """The keys of these subjects."""


class AuditEntry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A document of the trail as its reader sees it: personal data opened, or `{"kind": "erased"}`.

    `changed` names the fields that differ, those of personal data as `personal.first_name`.
    """

    position: int
    stream: str
    version: int
    type: str
    actor: str
    recorded_at: datetime
    occurred_at: datetime
    correlation: UUID
    causation: UUID | None = None
    request: str | None = None
    address: str | None = None
    event: Mapping[str, Any]
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    changed: tuple[str, ...] = ()


def audit_documents(batch: Batch) -> list[AuditDocument]:
    """The documents of a batch's events. It must have been read sealed."""
    told: dict[str, tuple[Any, Any]] = {}
    documents = []
    for change in batch.changes:
        stream = change.recorded.stream
        state, before = told.get(stream, (None, None))
        if state is not change.before:
            before = _json(change.before)
        after = _json(change.after)
        told[stream] = change.after, after
        documents.append(_document(change.recorded, before, after, changed_fields(change.before, change.after)))
    return documents


def changed_fields(before: Struct | None, after: Struct | None) -> tuple[str, ...]:
    """The fields that differ; those that are set, where there was no record before."""
    if after is None or before is after:
        return ()
    if before is None:
        defaults = _defaults(type(after))
        return tuple(name for name in after.__struct_fields__ if getattr(after, name) != defaults[name])
    return tuple(name for name in after.__struct_fields__ if getattr(before, name) != getattr(after, name))


def page(
    trail: AuditTrail,
    keys: KeyReader,
    database: Database,
    viewer: Viewer,
    generation: int,
    query: AuditQuery,
    request: PageRequest,
) -> Page[AuditEntry]:
    """A page of what matches and the viewer sees, newest first; `generation` is the trail's live one.

    From where others worked is told to whoever sees all alone.
    The request says where and how much, whatever the query says. Raises InvalidSort, InvalidCursor or Invalid.
    """
    if request.checked().sort not in (None, "-recorded_at"):
        raise InvalidSort("The audit trail is sorted by -recorded_at alone.", field="/sort")
    cursors = Cursors(viewer.tenant, "audit", structs.replace(query, below=None, limit=0))
    below = cursors.place(request.cursor, (Position,))[0] if request.cursor is not None else None
    asked = structs.replace(query, below=below, limit=request.limit + 1)
    if sees_all(viewer):
        found = trail.find(viewer.tenant, generation, asked)
        places: Sequence[int] = [each.position for each in found]
    else:
        places = positions(database, viewer, asked)
        found = trail.find(viewer.tenant, generation, structs.replace(asked, positions=tuple(places)))
    last = places[request.limit - 1] if len(places) > request.limit else None
    shown = [each for each in found if last is None or each.position >= last]
    entries = opened(viewer.tenant, keys, shown)
    if not sees_all(viewer):
        entries = [structs.replace(each, address=None) for each in entries]
    return Page(items=entries, next=None if last is None else cursors.after(last))


def opened(tenant: UUID, keys: KeyReader, documents: Sequence[AuditDocument]) -> list[AuditEntry]:
    """Documents as their reader sees them; all keys are read at once. Raises KeyMissing."""
    subjects = {subject for each in documents for subject in _subjects(each)}
    opener = keys.opener(tenant, subjects) if subjects else None
    return [_entry(each, opener) for each in documents]


def _document(recorded: Recorded, before: Any, after: Any, changed: tuple[str, ...]) -> AuditDocument:
    return AuditDocument(
        position=recorded.position,
        stream=recorded.stream,
        version=recorded.version,
        type=recorded.event.TYPE,
        actor=recorded.metadata.actor,
        recorded_at=recorded.recorded_at,
        occurred_at=recorded.occurred_at,
        correlation=recorded.metadata.correlation,
        causation=recorded.metadata.causation,
        request=recorded.metadata.request,
        address=recorded.metadata.address,
        event=_json(recorded.event),
        before=before,
        after=after,
        changed=changed,
    )


def _json(state: Any) -> Any:
    """A struct as JSON types."""
    return msgspec.json.decode(msgspec.json.encode(state))


@cache
def _defaults(state: type[Struct]) -> Mapping[str, Any]:
    """What each field is when nothing was said of it; NODEFAULT, which equals nothing, where something must be."""
    return {
        each.name: each.default if each.default_factory is NODEFAULT else each.default_factory()
        for each in structs.fields(state)
    }


def _subjects(document: AuditDocument) -> Iterator[UUID]:
    """Whose keys open the document."""
    if any(_sealed(each) for each in (document.event, document.before, document.after)):
        yield personal_subject(document.stream)
    if isinstance(document.address, Sealed):
        yield stream_subject(document.actor)[1]


def _sealed(told: Mapping[str, Any] | None) -> Sealed | None:
    personal = told.get(PERSONAL) if told else None
    return msgspec.convert(personal, Sealed) if personal and personal["kind"] == "sealed" else None


def _entry(document: AuditDocument, keys: Keys | None) -> AuditEntry:
    told = structs.asdict(document)
    for name in ("event", "before", "after"):
        told[name] = _opened(told[name], document.stream, keys)
    told["changed"] = tuple(_named(document.changed, told["before"], told["after"]))
    told["address"] = None
    if keys is not None and isinstance(document.address, Sealed):
        address = keys.open(stream_subject(document.actor)[1], document.address)
        told["address"] = None if address is None else address.decode()
    return AuditEntry(**told)


def _opened(told: Mapping[str, Any] | None, stream: str, keys: Keys | None) -> Mapping[str, Any] | None:
    """A state or an event with its personal part opened."""
    sealed = _sealed(told)
    if told is None or sealed is None or keys is None:
        return told
    plain = keys.open(personal_subject(stream), sealed)
    return {**told, PERSONAL: ERASED if plain is None else _without_kind(msgspec.json.decode(plain))}


def _without_kind(personal: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in personal.items() if name != "kind"}


def _named(changed: Sequence[str], before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Iterator[str]:
    """The names of changed fields; of personal data that can be read, those of its parts."""
    for name in changed:
        old, new = ((told or {}).get(name) or {} for told in (before, after))
        if name != PERSONAL or ERASED in (old, new):
            yield name
        else:
            yield from (f"{PERSONAL}.{part}" for part in sorted({*old, *new}) if old.get(part) != new.get(part))
