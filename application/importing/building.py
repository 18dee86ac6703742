"""Commands out of a row's values, with a reason for each value that they don't take."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import structs

from application.importing.kinds import Step, Steps, Values
from application.importing.problems import Note, Problem, Rejected
from application.importing.texts import shortened
from domain.kernel import Command

C = TypeVar("C", bound=Command)
ADDRESS = ("street", "city", "state", "postal_code", "country")


def known(values: Values, fields: Iterable[str] | None = None) -> dict[str, Any]:
    """The values that are there."""
    names = values if fields is None else fields
    return {name: values[name] for name in names if values.get(name) is not None}


def command(kind: type[C], fields: Mapping[str, Any], pointers: Mapping[str, str] | None = None) -> C:
    """The command with these fields. Raises Rejected, with a problem for each field that is wrong.

    `pointers`: the imported field that a field of the command comes from, where the names differ.
    """
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise Rejected(_problems(kind, fields, pointers or {}, error)) from None


def _problems(
    kind: type[Command], fields: Mapping[str, Any], pointers: Mapping[str, str], error: msgspec.ValidationError
) -> list[Problem]:
    found = []
    for each in structs.fields(kind):
        field = pointers.get(each.name, each.name)
        if each.name not in fields:
            if each.required:
                found.append(Problem(code="missing", reason=f"The {_words(field)} is missing.", field=field))
            continue
        try:
            msgspec.convert(fields[each.name], each.type)
        except msgspec.ValidationError as wrong:
            reason, _, path = str(wrong).partition(" - at `$")
            inner = path.rstrip("`").rpartition(".")[2] or field
            found.append(_problem(inner if path else field, fields[each.name], reason))
    return found or [Problem(code="invalid_value", reason=str(error))]


def _problem(field: str, value: Any, reason: str) -> Problem:
    if value is None:
        return Problem(code="missing", reason=f"The {_words(field)} can't be empty.", field=field)
    shown = f"The {_words(field)}" if isinstance(value, list | dict) else f"'{shortened(str(value))}'"
    reason = f"{shown} is not allowed: {reason[:1].lower()}{reason[1:]}.".replace("`", "")
    return Problem(code="invalid_value", reason=reason, field=field)


def _words(field: str) -> str:
    return field.replace("_", " ")


def edit(
    kind: type[C], changed: Mapping[str, Any], emptied: type[Command], pointers: Mapping[str, str] | None = None
) -> C | None:
    """The command that writes what changed, None where that is nothing.

    An emptied field that has to hold something takes the default that `emptied`, the creating command, has.
    """
    fields = dict(changed)
    defaults = {each.name: each.default for each in structs.fields(emptied)}
    types = {each.name: each.type for each in structs.fields(kind)}
    for name, value in changed.items():
        if value is None and not _takes_none(types[name]) and defaults.get(name) not in (msgspec.NODEFAULT, None):
            fields[name] = defaults[name]
    return command(kind, fields, pointers) if fields else None


def _takes_none(kind: Any) -> bool:
    return type(None) in getattr(kind, "__args__", ())


def with_address(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields, those of an address put into it."""
    address = {name: fields[name] for name in ADDRESS if name in fields}
    others = {name: value for name, value in fields.items() if name not in ADDRESS}
    return {**others, "address": address} if address else others


def only(values: Values, changed: frozenset[str], *, but: Iterable[str] = ()) -> dict[str, Any]:
    """The changed values, without those named in `but`."""
    left_out = set(but)
    return {name: values[name] for name in values if name in changed and name not in left_out}


def in_currency(fields: dict[str, Any], amount: str, source: Any, values: Values) -> dict[str, Any]:
    """The fields; of an amount and its currency both as the row has them, where one of them is written.

    People may have changed both meanwhile: the row's amount in their currency would be a sum that nobody named.
    `source` is what the row says of the amount.
    """
    currency = values.get("currency")
    if fields.get(amount) is not None and currency is not None:
        fields["currency"] = currency
    elif fields.get("currency") is not None and source is not None:
        fields[amount] = source
    return fields


def assigned(
    assign: type[Any], values: Values, changed: frozenset[str], steps: list[Step], field: str = "owner"
) -> Steps:
    """The steps, and the one that gives the record to another owner."""
    if field not in changed:
        return Steps(tuple(steps))
    if values[field] is None:
        note = Note(field=field, reason="The row names no owner any more: the record keeps the one it has.")
        return Steps(tuple(steps), (note,))
    return Steps((*steps, Step(command=assign(owner=values[field]))))
