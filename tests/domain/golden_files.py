"""How each stored type looked when it was first stored, and what it must be read as for ever.

`python -m tests.domain.golden_files` writes the files of types that have none. It never changes a file: what was
stored can't be changed either. A field that is new belongs into the `read as` of the old cases, with its default.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, Struct, structs

from application.catalogue import EVENT_TYPES
from domain.kernel import Erased, Event, Sealed
from tests.domain.examples import example

FOLDER = Path(__file__).parent / "golden"


def told(value: object) -> Any:
    """A value with every field that it has, defaults too, in JSON types."""
    match value:
        case Struct():
            kind = value.__struct_config__.tag
            fields = {name: told(getattr(value, name)) for name in value.__struct_fields__}
            set_fields = {name: each for name, each in fields.items() if each is not UNSET}
            return {"kind": kind, **set_fields} if kind else set_fields
        case tuple():
            return [told(each) for each in value]
        case Mapping():
            return {name: told(each) for name, each in value.items()}
        case _:
            return value if value is UNSET else msgspec.to_builtins(value)


def cases(event_type: type[Event]) -> Iterator[Event]:
    """Events of a type that show its whole shape: all fields, no more than it needs, and personal data gone."""
    whole = example(event_type)
    yield whole
    required = [each.name for each in structs.fields(event_type) if each.required]
    if len(required) < len(event_type.__struct_fields__):
        yield event_type(**{name: getattr(whole, name) for name in required})
    if "personal" in event_type.__struct_fields__:
        yield structs.replace(whole, personal=Sealed(b"sealed"))
        yield structs.replace(whole, personal=Erased())


def written(event: Event) -> dict[str, Any]:
    """A case of a golden file."""
    return {"stored": json.loads(msgspec.json.encode(event)), "read as": told(event)}


def write_missing() -> None:
    """Writes the golden files of stored types that have none."""
    for name, event_type in EVENT_TYPES.items():
        file = FOLDER / f"{name}.json"
        if not file.exists():
            file.write_text(json.dumps([written(each) for each in cases(event_type)], indent=2) + "\n")


if __name__ == "__main__":
    write_missing()
