"""What is wrong with a JSON text that isn't of the wanted type, field by field, in sentences that say what is right."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, get_args, get_origin

import msgspec
from msgspec import Raw, Struct, structs

from api.annotations import choices, kinds, metas, required
from api.refusals import Fault


@cache
def decoder(wanted: Any) -> msgspec.json.Decoder[Any]:
    """The decoder of a type, made once."""
    return msgspec.json.Decoder(wanted)


def faults(wanted: Any, raw: bytes, pointer: str = "") -> Iterator[Fault]:
    """All faults of a JSON text: the decoder stops at the first one, this goes on with the next field."""
    try:
        decoder(wanted).decode(raw)
        return
    except msgspec.ValidationError as error:
        message = str(error)
    inner = [fault for kind in kinds(wanted) for fault in _inner_faults(kind, raw, pointer)]
    yield from inner or [Fault(pointer, sentence(message, wanted))]


def _inner_faults(kind: Any, raw: bytes, pointer: str) -> Iterator[Fault]:
    """The faults of the parts of an object or a list, none where it isn't one."""
    origin = get_origin(kind)
    if isinstance(kind, type) and issubclass(kind, Struct):
        if (parts := _parts(dict[str, Raw], raw)) is not None:
            yield from _object_faults(kind, parts, pointer)
    elif origin in (tuple, list):
        for number, part in enumerate(_parts(list[Raw], raw) or ()):
            yield from faults(get_args(kind)[0], part, f"{pointer}/{number}")
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        key, value = get_args(kind)
        for name, part in (_parts(dict[str, Raw], raw) or {}).items():
            yield from faults(key, msgspec.json.encode(name), below(pointer, name))
            yield from faults(value, part, below(pointer, name))


def _object_faults(kind: type[Struct], parts: Mapping[str, Raw], pointer: str) -> Iterator[Fault]:
    fields = {field.encode_name: field for field in structs.fields(kind)}
    for name, part in parts.items():
        if name in fields:
            yield from faults(fields[name].type, part, below(pointer, name))
        else:
            yield Fault(below(pointer, name), f"There is no such field. Those known: {', '.join(sorted(fields))}.")
    for name in required(kind):
        if name not in parts:
            yield Fault(below(pointer, name), "This field is required.")


def _parts(parts: Any, raw: bytes) -> Any:
    try:
        return decoder(parts).decode(raw)
    except msgspec.ValidationError:
        return None


def below(pointer: str, name: str) -> str:
    """A JSON pointer (RFC 6901) to a member."""
    return f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"


_NAMES: Mapping[str, str] = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "decimal": 'a decimal number such as "1054.00"',
    "uuid": "a UUID",
    "date": "a date such as 2017-06-30",
    "datetime": "an instant such as 2017-06-30T12:00:00Z",
    "array": "a list",
    "object": "an object",
    "null": "null",
}

_SENTENCES: Sequence[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]] = (
    (re.compile(r"`str` of length >= 1\b"), lambda _: "Give at least one character."),
    (re.compile(r"`str` of length >= (\d+)"), lambda match: f"Give at least {match[1]} characters."),
    (re.compile(r"`str` of length <= (\d+)"), lambda match: f"Give at most {match[1]} characters."),
    (re.compile(r"`(?:array|object)` of length >= (\d+)"), lambda match: f"Give at least {match[1]}."),
    (re.compile(r"`(?:array|object)` of length <= (\d+)"), lambda match: f"Give at most {match[1]}."),
    (re.compile(r"`(?:int|float)` >= (\S+)"), lambda match: f"Give {match[1]} or more."),
    (re.compile(r"`(?:int|float)` <= (\S+)"), lambda match: f"Give {match[1]} or less."),
    (re.compile(r"matching regex '\\\\S'"), lambda _: "Give more than blanks."),
    (re.compile(r"Invalid UUID"), lambda _: "Give a UUID."),
    (re.compile(r"Invalid decimal"), lambda _: f"Give {_NAMES['decimal']}."),
    (re.compile(r"Invalid RFC3339 encoded date\b"), lambda _: f"Give {_NAMES['date']}."),
    (re.compile(r"control characters"), lambda _: "A text can't hold control characters."),
    (re.compile(r"Expected `([^`]+)`, got"), lambda match: f"Give {_named(match[1])}."),
)


def sentence(message: str, wanted: Any) -> str:
    """What would be right, by a message of the decoder."""
    if allowed := choices(wanted):
        return f"Give one of: {', '.join(allowed)}."
    for pattern, told in _SENTENCES:
        if match := pattern.search(message):
            return told(match)
    description = next((each.description for each in metas(wanted) if each.description), "a text of the right form")
    example = next((each.examples[0] for each in metas(wanted) if each.examples), None)
    return f"Give {description}{f', such as {example}' if example else ''}."


def _named(names: str) -> str:
    return " or ".join(_NAMES.get(each.strip(), each.strip()) for each in names.split("|"))
