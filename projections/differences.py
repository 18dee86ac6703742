"""What an event made another: the fields of its entity that differ between the states before and after it."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from msgspec import NODEFAULT, UNSET, Struct, UnsetType, structs

from domain.kernel import Event, Personal


class FieldChange(Struct, frozen=True, kw_only=True):
    """A field that became another; both values as the state has them, None where there was or is none.

    `hidden` says that it is personal and that its values stand elsewhere, in the record and its history.
    """

    field: str
    before: Any = None
    after: Any = None
    hidden: bool | UnsetType = UNSET


def differences(event: Event, before: Struct | None, after: Struct | None, *, personal: bool) -> list[FieldChange]:
    """The fields that differ. Of personal data only their names, unless `personal` asks for their values.

    Erased data has no fields, so that there only the mention is left.
    """
    changed = [
        FieldChange(field=name, before=old, after=new)
        for name, old, new in _unequal(before, after)
        if name != "personal"
    ]
    if getattr(event, "personal", UNSET) is UNSET:
        return changed
    was, became = getattr(before, "personal", None), getattr(after, "personal", None)
    if not isinstance(became, Personal):
        return [FieldChange(field="personal"), *changed]
    fields = _unequal(was if isinstance(was, Personal) else None, became)
    told = (
        FieldChange(field=name, before=old, after=new) if personal else FieldChange(field=name, hidden=True)
        for name, old, new in fields
    )
    return [*told, *changed]


def _unequal(before: Struct | None, after: Struct | None) -> Iterator[tuple[str, Any, Any]]:
    """The name, earlier and later value of each field that differs; a first state differs from one of defaults."""
    if after is None:
        return
    defaults = _defaults(type(after)) if before is None else {}
    for name in after.__struct_fields__:
        old, new = getattr(before, name, None), getattr(after, name)
        if new != (old if before is not None else defaults[name]):
            yield name, old, new


@cache
def _defaults(state: type[Struct]) -> Mapping[str, Any]:
    return {
        each.name: (
            each.default
            if each.default is not NODEFAULT
            else each.default_factory()
            if each.default_factory is not NODEFAULT
            else None
        )
        for each in structs.fields(state)
    }
