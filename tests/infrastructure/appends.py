"""Appends to write a log with: one event of a deal unless others are given."""

from uuid import uuid4

from uuid_utils.compat import uuid7

from application.ports import Append, StreamChange
from application.recording import Metadata, stream_name
from domain.deals.events import DealEdited

EVENT = DealEdited(name="A name")


def change(stream: str, expected: int = 0, *events, **others) -> StreamChange:
    return StreamChange(stream=stream, expected=expected, events=events or (EVENT,), **others)


def append(*changes: StreamChange, **others) -> Append:
    return Append(metadata=Metadata(actor="test", correlation=uuid4()), changes=changes, **others)


def a_stream() -> str:
    return stream_name("deal", uuid7())
