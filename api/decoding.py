"""Bodies and query strings as structs, decoded strictly."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, structs

from api.annotations import is_list, kinds, may_be_null, required
from api.body_bounds import LONGEST, check_depth, check_lengths
from api.faults import below, decoder, faults, sentence
from api.refusals import Fault, InvalidRequest, MalformedJson

S = TypeVar("S", bound=Struct)

_MOST_FAULTS = 50
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def decoded(wanted: type[S], raw: bytes) -> S:
    """A JSON body as a struct; no body is an empty object. Raises MalformedJson or InvalidRequest."""
    raw = raw or b"{}"
    check_depth(raw)
    try:
        body = _decoded(wanted, raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedJson(f"The body is no JSON text: {error}.") from None
    check_lengths(raw, body)
    return body


def _decoded(wanted: type[S], raw: bytes) -> S:
    """The decoder stops at the first bad field, even in front of text that is no JSON: both come to light here."""
    try:
        body: S = decoder(wanted).decode(raw)
    except msgspec.ValidationError as error:
        found = list(islice(faults(wanted, raw), _MOST_FAULTS))
        raise InvalidRequest(found or [Fault("", sentence(str(error), wanted))]) from None
    return body


def parsed(wanted: type[S], given: Sequence[tuple[str, str]]) -> S:
    """A query string as a struct: each name once, lists with commas. Raises InvalidRequest."""
    fields, needed = _parameters(wanted)
    values: dict[str, Any] = {}
    found = [Fault(f"/{name}", "This parameter is required.") for name in needed if name not in dict(given)]
    for name, text in given:
        field = fields.get(name)
        if field is None:
            known = ", ".join(sorted(fields))
            found.append(Fault(below("", name), f"There is no such parameter. Those known: {known}."))
        elif field.name in values:
            found.append(Fault(f"/{name}", "Give this parameter once."))
        else:
            try:
                values[field.name] = _value(field.type, text)
            except msgspec.ValidationError as error:
                found.append(Fault(f"/{name}", sentence(str(error), field.type)))
    if found:
        raise InvalidRequest(found[:_MOST_FAULTS])
    return wanted(**values)


@cache
def _parameters(wanted: type[Struct]) -> tuple[Mapping[str, structs.FieldInfo], Sequence[str]]:
    """The parameters by their names, and the names of those that must be given."""
    return {field.encode_name: field for field in structs.fields(wanted)}, required(wanted)


def _value(annotation: Any, text: str) -> Any:
    """A parameter's value; `any` lifts a filter that is set unless told otherwise, such as `archived`."""
    if _NO_TEXT.search(text):
        raise msgspec.ValidationError("control characters")
    if bool in kinds(annotation) and text == "any" and may_be_null(annotation):
        return None
    if is_list(annotation):
        parts = text.split(",")
        if len(parts) > LONGEST:
            raise msgspec.ValidationError(f"Expected `array` of length <= {LONGEST}")
        return msgspec.convert(parts, annotation, strict=False)
    if str not in kinds(annotation) and text.lower() == "null":
        raise msgspec.ValidationError("Expected a value, got null")
    return msgspec.convert(text, annotation, strict=False)
