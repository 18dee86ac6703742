"""What every part of the domain is made of: facts, intents, refusals, and what is personal."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType, structs


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fact. `TYPE` is the stored type name, pinned for ever: `deal.stage_changed.v1`.

    An event that carries personal data has one field for all of it, `personal`, which holds the whole
    personal part after the change, never a part of it, so that a fold can replace it without opening it.
    """

    TYPE: ClassVar[str]


class Command(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An intent, and the body of the request that asks for it.

    `PERMISSION` is what its sender must hold, `CREATES` says that it opens a new stream. `TAKES_OVER` names claims,
    by their purpose, that another record gives up for it instead of refusing it. A field that may be left out of an
    edit is `UNSET` by default; `None` empties it.
    """

    PERMISSION: ClassVar[str]
    CREATES: ClassVar[bool] = False
    TAKES_OVER: ClassVar[frozenset[str]] = frozenset()


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


class HierarchyCycle(Refused):
    """A record can't stand above itself, however many others are between."""

    code = "hierarchy_cycle"


class PersonalDataErased(Refused):
    """Personal data that was erased stays erased: it can't be edited."""

    code = "personal_data_erased"


class PersonalDataSealed(Refused):
    """A decision needs personal data that it was given sealed."""

    code = "personal_data_sealed"


def newly_named(field: str, entity: str, named: UUID | UnsetType | None, known: UUID | None) -> Iterator[Reference]:
    """A command's mention of another entity, unless the state mentions the same one already: what a record has
    may stay, even when it could not be chosen any more."""
    if named and named != known:
        yield Reference(field=field, entity=entity, id=named)


P = TypeVar("P", bound=Personal)


def readable(personal: P | Sealed | Erased) -> P:
    """Personal data in the clear. Raises PersonalDataErased or PersonalDataSealed."""
    if isinstance(personal, Erased):
        raise PersonalDataErased("This person's data was erased and can't be edited.")
    if isinstance(personal, Sealed):
        raise PersonalDataSealed("This person's data is sealed.")
    return personal


def given(command_or_event: Struct, *, but: Iterable[str] = ()) -> dict[str, Any]:
    """The fields that were set, without those named in `but`."""
    left_out = set(but)
    fields = structs.asdict(command_or_event).items()
    return {name: value for name, value in fields if value is not UNSET and name not in left_out}


def changes(asked: Mapping[str, Any], state: Struct) -> dict[str, Any]:
    """The fields that are to be something else than the state has.

    Check the values before: a signalling NaN can't even be compared.
    """
    return {name: value for name, value in asked.items() if getattr(state, name) != value}
