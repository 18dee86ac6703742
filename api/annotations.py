"""What a field's annotation says: the types of a union, the choices of an enumeration, and what describes it."""

from collections.abc import Sequence
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from msgspec import NODEFAULT, Meta, Struct, UnsetType, structs


def members(annotation: Any) -> list[Any]:
    """The types of a union, without what annotates them."""
    if get_origin(annotation) is Annotated:
        return members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [each for member in get_args(annotation) for each in members(member)]
    return [annotation]


def kinds(annotation: Any) -> list[Any]:
    """The types that a value may be of, when there is one."""
    return [each for each in members(annotation) if each not in (NoneType, UnsetType)]


def may_be_null(annotation: Any) -> bool:
    """Whether there may be no value."""
    return NoneType in members(annotation)


def is_list(annotation: Any) -> bool:
    """Whether there may be several values."""
    return any(get_origin(kind) in (tuple, list) for kind in kinds(annotation))


def metas(annotation: Any) -> list[Meta]:
    """What annotates a type, wherever in a union it stands."""
    if get_origin(annotation) is Annotated:
        inner, *outer = get_args(annotation)
        return [*(each for each in outer if isinstance(each, Meta)), *metas(inner)]
    if get_origin(annotation) in (Union, UnionType):
        return [each for member in get_args(annotation) for each in metas(member)]
    return []


def choices(annotation: Any) -> Sequence[str]:
    """The values that a field of an enumeration may have."""
    found: list[Any] = []
    for kind in kinds(annotation):
        if get_origin(kind) is Literal:
            found += get_args(kind)
        elif isinstance(kind, type) and issubclass(kind, Enum):
            found += [each.value for each in kind]
    return [str(each) for each in found]


def required(struct: type[Struct]) -> list[str]:
    """The fields that must be given."""
    return [
        each.encode_name
        for each in structs.fields(struct)
        if each.default is NODEFAULT and each.default_factory is NODEFAULT
    ]
