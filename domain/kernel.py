"""What every part of the domain is made of: facts, intents, refusals, and what is personal."""

from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import UUID

from msgspec import UNSET, Struct, structs


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fact. `TYPE` is the stored type name, pinned for ever: `deal.stage_changed.v1`.

    An event that carries personal data has one field for all of it, `personal`, which holds the whole
    personal part after the change, never a part of it, so that a fold can replace it without opening it.
    """

    TYPE: ClassVar[str]


class Command(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An intent, and the body of the request that asks for it.

    `PERMISSION` is what its sender must hold, `CREATES` says that it opens a new stream. A field that may be
    left out of an edit is `UNSET` by default; `None` empties it.
    """

    PERMISSION: ClassVar[str]
    CREATES: ClassVar[bool] = False


class Personal(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="plain"):
    """Personal data of one subject, in the clear. In the log it is `Sealed`."""


class Sealed(Struct, frozen=True, tag_field="kind", tag="sealed"):
    """Personal data under its subject's key: nonce (12 bytes), ciphertext and tag of AES-256-GCM."""

    data: bytes


class Erased(Struct, frozen=True, tag_field="kind", tag="erased"):
    """Personal data whose key was destroyed: nobody can read it again."""


class Reference(Struct, frozen=True, kw_only=True):
    """A command's mention of another entity: `field` is the pointer into the command that named it.

    `guarded`: the decision holds only while that stream stays as it was read.
    `lineage`: its parents, up to the root, are needed too (and guarded alike).
    `optional`: archived or missing is for `decide` to judge, instead of a refusal by the handler.
    """

    field: str
    entity: str
    id: UUID
    guarded: bool = False
    lineage: bool = False
    optional: bool = False


class Claim(Struct, frozen=True, order=True):
    """A value that one stream of the tenant may hold at a time, such as a user's e-mail address."""

    purpose: str
    value: str


class Refused(Exception):
    """A command that the rules don't allow. `code` is stable, the message says what would be right.

    `field` points to the part of the command that is wrong, where one is (`/lines/0/quantity`).
    `details` holds what a program needs to react, in JSON types.
    """

    code: ClassVar[str] = "refused"

    def __init__(self, message: str, *, field: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.details = details


class NotFound(Refused):
    """There is no such record in this tenant."""

    code = "not_found"


class Invalid(Refused):
    """A value is outside of what its field may hold."""

    code = "invalid_value"


class UnknownReference(Refused):
    """A field names a record that does not exist in this tenant."""

    code = "unknown_reference"


class ReferenceArchived(Refused):
    """A field names a record that is archived or inactive."""

    code = "reference_archived"


class AlreadyExists(Refused):
    """The stream that the command would open is there already."""

    code = "already_exists"


class Archived(Refused):
    """An archived record takes no change before it is restored."""

    code = "archived"


def given(command_or_event: Struct, *, but: Iterable[str] = ()) -> dict[str, Any]:
    """The fields that were set, without those named in `but`."""
    left_out = set(but)
    return {
        name: value for name, value in structs.asdict(command_or_event).items() if value is not UNSET and name not in left_out
    }


def changes(command: Struct, state: Struct, *, but: Iterable[str] = ()) -> dict[str, Any]:
    """The fields that the command sets to something else than the state has."""
    return {name: value for name, value in given(command, but=but).items() if getattr(state, name) != value}
