"""What an import works on, and what becomes of its rows."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

from application.importing.kinds import Circumstances
from application.importing.problems import Note, Problem
from application.importing.rows import Plan, Row
from application.ports import EventStore, Guard, PrincipalChange, StreamChange


class Fate(StrEnum):
    """What became of a row; `waiting`: it refers to one of the file that isn't there yet."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"
    WAITING = "waiting"


class Result(Struct, frozen=True, kw_only=True):
    """What a row came to. `joins` says that it makes somebody an active user who wasn't, `made` names the entities of
    which it made a record on the way."""

    row: Row
    fate: Fate
    changes: tuple[StreamChange, ...] = ()
    guards: tuple[Guard, ...] = ()
    principals: tuple[PrincipalChange, ...] = ()
    joins: bool = False
    problems: tuple[Problem, ...] = ()
    notes: tuple[Note, ...] = ()
    made: tuple[str, ...] = ()


class Job(Struct, frozen=True, kw_only=True):
    """What all batches of an import have in common. `run` is the correlation of all that it stores."""

    store: EventStore
    tenant: UUID
    plan: Plan
    run: UUID
    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]
    circumstances: Circumstances = Circumstances()
