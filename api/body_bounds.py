"""Bounds of a JSON body beside its size: how deep it nests, and how long its lists are."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from api.faults import below
from api.refusals import Fault, InvalidRequest, MalformedJson

DEEPEST = 32
LONGEST = 1_000
"""Members of a list or an object that says nothing tighter of itself."""

# Possessive, and content with a string that never ends: every byte is looked at once, whatever the body.
_STEP = re.compile(rb'"(?:[^"\\]++|\\[\x00-\xff])*+"?|[\[{\]}]')


def check_depth(raw: bytes) -> None:
    """Refuses what nests too deep, before it is decoded. Raises MalformedJson."""
    if raw.count(b"[") + raw.count(b"{") <= DEEPEST:
        return
    depth = 0
    for match in _STEP.finditer(raw):
        first = raw[match.start()]
        if first in b"[{":
            depth += 1
            if depth > DEEPEST:
                raise MalformedJson(f"The body nests more than {DEEPEST} lists and objects into one another.")
        elif first in b"]}":
            depth -= 1


def check_lengths(raw: bytes, body: Any) -> None:
    """Refuses lists and objects with too many members, once they are decoded. Raises InvalidRequest."""
    if raw.count(b",") < LONGEST:
        return
    if found := [Fault(pointer, f"Give at most {LONGEST}.") for pointer in _too_long(body, "")]:
        raise InvalidRequest(found)


def _too_long(value: Any, pointer: str) -> Iterator[str]:
    if isinstance(value, Struct):
        for field in value.__struct_fields__:
            yield from _too_long(getattr(value, field), below(pointer, field))
    elif isinstance(value, list | tuple | set | frozenset | Mapping):
        if len(value) > LONGEST:
            yield pointer
            return
        for name, each in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _too_long(each, below(pointer, str(name)))
