"""An event of a replay, told to people."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from projections.audit.trail import AuditEntry

_LONG = 100


def told(entry: "AuditEntry") -> str:
    """An event as some lines: where it stands, who and when, and each field that became another."""
    return "\n".join([*_head(entry), *_changes(entry)])


def _head(entry: "AuditEntry") -> Iterator[str]:
    yield f"#{entry.position}  {entry.type}  {entry.stream}  version {entry.version}"
    by = f"    by {_printable(entry.actor)}"
    if entry.address:
        by += f" from {_printable(entry.address)}"
    if entry.request:
        by += f", request {_printable(entry.request)}"
    yield by
    yield f"    recorded {_instant(entry.recorded_at)}, occurred {_instant(entry.occurred_at)}"


def _changes(entry: "AuditEntry") -> Iterator[str]:
    if not entry.changed:
        yield "    nothing changed"
    for field in entry.changed:
        before, after = _value(entry.before, field), _value(entry.after, field)
        line = _text(after) if entry.before is None else f"{_text(before)} → {_text(after)}"
        if len(line) > _LONG and isinstance(after, list):
            yield f"    {field}:"
            yield from _items(before if isinstance(before, list) else [], after)
        else:
            yield f"    {field}: {line}"


def _items(before: list[Any], after: list[Any]) -> Iterator[str]:
    """What went out of a list and what came in; all of it where only the order is another."""
    gone, come = ([each for each in one if each not in other] for one, other in ((before, after), (after, before)))
    yield from (f"      - {_text(each)}" for each in gone)
    yield from (f"      + {_text(each)}" for each in (come if gone or come else after))


def _value(state: Mapping[str, Any] | None, field: str) -> Any:
    value: Any = state
    for part in field.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _text(value: Any) -> str:
    match value:
        case None:
            return "none"
        case str():
            return _printable(value) or '""'
        case {"kind": "erased"}:
            return "erased"
        case {"amount": amount, "currency": currency}:
            return f"{amount} {currency}"
        case _:
            return _printable(json.dumps(value, ensure_ascii=False))


def _printable(text: str) -> str:
    """Text that does nothing to a terminal and stays on its line."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _instant(instant: datetime) -> str:
    return instant.isoformat(sep=" ", timespec="microseconds").replace("+00:00", "Z").replace(".000000Z", "Z")
