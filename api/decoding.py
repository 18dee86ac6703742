"""Bodies and query strings as structs, decoded strictly."""

import re
from collections.abc import Sequence
from itertools import islice
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, structs

from api.annotations import is_list, kinds, may_be_null, required
from api.faults import decoder, faults, sentence
from api.refusals import Fault, InvalidRequest, MalformedJson

S = TypeVar("S", bound=Struct)

_MOST_FAULTS = 50
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def decoded(wanted: type[S], raw: bytes) -> S:
    """A JSON body as a struct; no body is an empty object. Raises MalformedJson or InvalidRequest."""
    raw = raw or b"{}"
    try:
        body: S = decoder(wanted).decode(raw)
    except msgspec.ValidationError as error:
        found = list(islice(faults(wanted, raw), _MOST_FAULTS))
        raise InvalidRequest(found or [Fault("", sentence(str(error), wanted))]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedJson(f"The body is no JSON text: {error}.") from None
    return body


def parsed(wanted: type[S], given: Sequence[tuple[str, str]]) -> S:
    """A query string as a struct: each name once, lists with commas. Raises InvalidRequest."""
    fields = {field.encode_name: field.type for field in structs.fields(wanted)}
    values: dict[str, Any] = {}
    found = [Fault(f"/{name}", "This parameter is required.") for name in required(wanted) if name not in dict(given)]
    for name, text in given:
        try:
            if name not in fields:
                found.append(
                    Fault(f"/{name}", f"There is no such parameter. Those known: {', '.join(sorted(fields))}.")
                )
            elif name in values:
                found.append(Fault(f"/{name}", "Give this parameter once."))
            else:
                values[name] = _value(fields[name], text)
        except msgspec.ValidationError as error:
            found.append(Fault(f"/{name}", sentence(str(error), fields[name])))
    if found:
        raise InvalidRequest(found[:_MOST_FAULTS])
    return wanted(**values)


def _value(annotation: Any, text: str) -> Any:
    """A parameter's value; `any` lifts a filter that is set unless told otherwise, such as `archived`."""
    if _NO_TEXT.search(text):
        raise msgspec.ValidationError("control characters")
    if bool in kinds(annotation) and text == "any" and may_be_null(annotation):
        return None
    if is_list(annotation):
        return msgspec.convert(text.split(","), annotation, strict=False)
    if str not in kinds(annotation) and text.lower() == "null":
        raise msgspec.ValidationError("Expected a value, got null")
    return msgspec.convert(text, annotation, strict=False)
