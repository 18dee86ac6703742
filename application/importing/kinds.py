"""What an importable kind of record is: its fields, and the commands that a row of it comes to."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from msgspec import Struct

from application.importing.problems import Note
from domain.kernel import Command
from domain.neighbours import StageFacts

Values = Mapping[str, Any]
"""Field → value, None where the row has none; references are ids by now."""


class Form(StrEnum):
    """How the text of a field is read."""

    TEXT = "text"
    WHOLE = "whole number"
    NUMBER = "number"
    FLAG = "yes or no"
    DAY = "date"
    MOMENT = "date of the past"
    REFERENCE = "reference"


class Field(Struct, frozen=True):
    """A field that a map can fill; `entity` is what a reference refers to."""

    form: Form = Form.TEXT
    entity: str | None = None


TEXT, WHOLE, NUMBER, FLAG = Field(), Field(Form.WHOLE), Field(Form.NUMBER), Field(Form.FLAG)
DAY, MOMENT = Field(Form.DAY), Field(Form.MOMENT)


def to(entity: str) -> Field:
    """A field that refers to a record of that entity by its external id."""
    return Field(Form.REFERENCE, entity)


class Step(Struct, frozen=True, kw_only=True):
    """A command, and when it happened in the world; None: now. `field` is the one that says when."""

    command: Command
    at: datetime | None = None
    field: str | None = None


class Steps(Struct, frozen=True):
    """What a row comes to, and what of it could not be done as it says."""

    steps: tuple[Step, ...] = ()
    notes: tuple[Note, ...] = ()


class Circumstances(Struct, frozen=True, kw_only=True):
    """What a row is decided in.

    The deals' pipeline; when the record's last event happened; the fields that its last import filled.
    """

    pipeline: UUID | None = None
    stages: tuple[StageFacts, ...] = ()
    opened_in: StageFacts | None = None
    last: datetime | None = None
    had: frozenset[str] = frozenset()


class Kind(Struct, frozen=True, kw_only=True):
    """A kind of record that can be imported.

    `required` fields have to be mapped. `personal` ones are sealed in the log, `claimed` ones are unique.
    `create` makes the commands for a new record, `change` those for what `changed` of a known one.
    """

    name: str
    entity: str
    fields: Mapping[str, Field]
    create: Callable[[Values, Circumstances], Steps]
    change: Callable[[Values, frozenset[str], Any, Circumstances], Steps]
    required: tuple[str, ...]
    personal: frozenset[str] = frozenset()
    claimed: frozenset[str] = frozenset()
