"""Recorded, the envelope of every stored event, and the Mapper between it and the library's StoredEvent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from eventsourcing.persistence import Notification
from msgspec import Struct, structs

from application.upcasting import upcast
from domain.kernel import Erased, Event, Personal, Sealed


def stream_name(entity: str, id: UUID) -> str:
    """The name of an entity's stream: `deal-0192…`."""
    return f"{entity}-{id}"


def stream_subject(stream: str) -> tuple[str, UUID]:
    """The entity and the id that a stream's name says."""
    entity, _, id = stream.partition("-")
    return entity, UUID(id)


class Metadata(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who caused an event, and on whose request; `address` is sealed under the actor's key.

    `actor` is a user's stream name (`user-0192…`), or names what acted (`cli`, `import`, `system`).
    """

    actor: str
    correlation: UUID
    causation: UUID | None = None
    request: str | None = None
    address: Sealed | Erased | None = None


@dataclass(frozen=True, kw_only=True)
class Entry(Notification):
    """A row of the log: the library's Notification, with what ours adds."""

    tenant: UUID
    metadata: bytes
    occurred_at: datetime
    recorded_at: datetime


class Recorded(Struct, frozen=True, kw_only=True):
    """An event with its place in the log and its circumstances. Instants are aware, in UTC."""

    tenant: UUID
    position: int
    stream: str
    version: int
    event: Event
    metadata: Metadata
    occurred_at: datetime
    recorded_at: datetime

    @property
    def entity(self) -> str:
        """The kind of record that the event belongs to."""
        return self.stream.partition("-")[0]

    @property
    def id(self) -> UUID:
        """The id of the record that the event belongs to."""
        return UUID(self.stream.partition("-")[2])


class UnknownEventType(Exception):
    """A stored type that this release doesn't know: a newer one wrote it. Wait for the upgrade, don't park."""


Open = Callable[[UUID, Sealed], bytes | None]
"""Opens what is sealed under a subject's key; None says that the key was erased."""


def personal_subject(entry_stream: str) -> UUID:
    """Whose key seals the personal data of a stream's events."""
    return stream_subject(entry_stream)[1]


class Mapper:
    """Encodes events for the log, and decodes them, upcast to their current version.

    `types` maps stored type names to event classes. A class with a field `personal` is sealed.
    """

    def __init__(self, types: Mapping[str, type[Event]]) -> None:
        self._types = dict(types)
        self._decoders: dict[str, msgspec.json.Decoder[Any]] = {
            name: msgspec.json.Decoder(each) for name, each in self._types.items()
        }
        self._personal = {
            name: msgspec.json.Decoder(_personal_type(each))
            for name, each in self._types.items()
            if "personal" in each.__struct_fields__
        }
        self._metadata = msgspec.json.Decoder(Metadata)
        self._encoder = msgspec.json.Encoder()

    def is_personal(self, topic: str) -> bool:
        """Whether events of this stored type carry personal data."""
        return topic in self._personal

    def payload(self, event: Event, seal: Callable[[bytes], Sealed]) -> bytes:
        """The stored form of an event, its personal part sealed."""
        if event.TYPE not in self._types:
            raise UnknownEventType(event.TYPE)
        personal = getattr(event, "personal", None)
        if isinstance(personal, Personal):
            event = structs.replace(event, personal=seal(self._encoder.encode(personal)))
        return self._encoder.encode(event)

    def metadata(self, metadata: Metadata) -> bytes:
        """The stored form of an event's circumstances."""
        return self._encoder.encode(metadata)

    def recorded(self, entry: Entry, open: Open | None) -> Recorded:
        """A row of the log as what it says. Without `open`, personal data stays sealed.

        Raises UnknownEventType, and msgspec.ValidationError where a payload isn't of its type.
        """
        topic, state = upcast(entry.topic, entry.state)
        decoder = self._decoders.get(topic)
        if decoder is None:
            raise UnknownEventType(topic)
        event = decoder.decode(state)
        if open is not None and topic in self._personal and isinstance(event.personal, Sealed):
            plain = open(personal_subject(str(entry.originator_id)), event.personal)
            personal = Erased() if plain is None else self._personal[topic].decode(plain)
            event = structs.replace(event, personal=personal)
        return Recorded(
            tenant=entry.tenant,
            position=entry.id,
            stream=str(entry.originator_id),
            version=entry.originator_version,
            event=event,
            metadata=self._metadata.decode(entry.metadata),
            occurred_at=entry.occurred_at,
            recorded_at=entry.recorded_at,
        )


def _personal_type(event_type: type[Event]) -> Any:
    """The Personal struct among the types that the event's field `personal` may have."""
    field = next(each for each in structs.fields(event_type) if each.name == "personal")
    for each in getattr(field.type, "__args__", (field.type,)):
        if isinstance(each, type) and issubclass(each, Personal):
            return each
    raise TypeError(f"{event_type.__name__}.personal names no Personal struct")
