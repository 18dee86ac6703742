"""An example of any type that the domain stores: every field is set, and differs from its default."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType, structs

from domain.kernel import Erased, Sealed

_PLAIN: Mapping[type, Any] = {
    UUID: UUID("01920000-0000-7000-8000-000000000001"),
    Decimal: Decimal("1054.25"),
    date: date(2017, 3, 1),
    datetime: datetime(2017, 3, 1, 12, 30, tzinfo=UTC),
    int: 42,
    bytes: b"sealed",
}


def example(of: Any, name: str = "text", default: Any = UNSET) -> Any:
    """An example of a type. `name` is the field that it is for."""
    if isinstance(of, type) and issubclass(of, Struct):
        return of(**{each.name: example(each.type, each.name, each.default) for each in structs.fields(of)})
    if isinstance(of, type) and issubclass(of, Enum):
        return next(each for each in of if each != default)
    if of is bool:
        return default is not True
    if of is str:
        return f"some {name}"
    if of in _PLAIN:
        return _PLAIN[of]
    return _composed(of, name)


def _composed(of: Any, name: str) -> Any:
    arguments = get_args(of)
    origin = get_origin(of)
    if origin is Annotated:
        return example(arguments[0], name)
    if origin in (Union, UnionType):
        return example(chosen(arguments), name)
    if origin is tuple:
        return (example(arguments[0], name),)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"key": example(arguments[1], name)}
    raise TypeError(f"No example of {of} for {name}")


def chosen(types: Iterable[Any]) -> Any:
    """The type of a union that says most."""
    return next(each for each in types if each not in (NoneType, UnsetType, Sealed, Erased))
