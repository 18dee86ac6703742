"""The mapping file: TOML that says which column is which field of which record, and how its texts are read."""

import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

from application.importing.problems import MapRefused
from domain.neighbours import StageKind
from domain.pipelines.commands import Colour
from domain.values import ExternalId, Name, Percentage

Scalar = str | bool | int | float
_SMALLEST = 1e-12
_ANY_DAY = datetime(2017, 10, 24, 13, 45, tzinfo=UTC)


class Numbers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the file writes numbers."""

    decimal: str = "."
    thousands: str = ""


class FieldMap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a field of a record comes from: a column, or a template over columns; else its default.

    `template`: columns in braces; of several the first counts whose columns all hold something.
    `part`: the first or last names of a whole name. `factor`: what a number is multiplied by.
    `create_missing`: make the record that is referred to when there is none; `create` maps its fields.
    """

    column: str | None = None
    template: str | tuple[str, ...] | None = None
    default: Scalar | None = None
    part: Literal["first", "last"] | None = None
    factor: int | float | None = None
    date_format: str | None = None
    create_missing: bool = False
    create: Mapping[str, Any] = {}

    def multiplier(self) -> Decimal:
        """The factor, as exact as it is written."""
        return Decimal(1) if self.factor is None else Decimal(str(self.factor))


class StageMap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stage that is made if the pipeline has none of that name. `probability` is a percentage."""

    name: Name
    kind: StageKind = StageKind.OPEN
    probability: Percentage
    colour: Colour | None = None


class PipelineMap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The pipeline of the deals: found by its external id or made; without one, the tenant's default pipeline.

    `opened_in` is the stage in which a deal was opened that is closed by now.
    """

    external_id: ExternalId | None = None
    name: Name | None = None
    opened_in: str | None = None
    stages: tuple[StageMap, ...] = ()


class ImportMap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping file. `aliases` replaces texts of a column, by column, before anything else reads them."""

    external_id: str
    fields: Mapping[str, FieldMap]
    records: str | None = None
    delimiter: str = ","
    numbers: Numbers = Numbers()
    date_format: str = "%Y-%m-%d"
    currency: str | None = None
    aliases: Mapping[str, Mapping[str, str]] = {}
    pipeline: PipelineMap | None = None


def read_map(content: bytes) -> ImportMap:
    """The map that a mapping file's content is. Raises MapRefused, which names the keys that are wrong."""
    read, faults = drafted_map(content)
    if faults:
        raise MapRefused("\n".join(faults))
    return read


def drafted_map(content: bytes) -> tuple[ImportMap, list[str]]:
    """The map as far as it can be read, and what is wrong with it. Raises MapRefused where it is no TOML."""
    try:
        tree = tomllib.loads(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MapRefused(f"The map is not TOML in UTF-8: {error}") from error
    faults: list[str] = []
    mapped = fields_of(tree.pop("fields", {}), "fields", faults)
    if "external_id" not in tree:
        faults.append("the map: Object missing required field `external_id`")
    tree = _known_keys(tree, ImportMap, "", faults)
    _know_nested(tree, faults)
    parts = {each.name: each.type for each in structs.fields(ImportMap) if each.name in tree}
    read = {key: value for key in parts if (value := _converted(tree[key], parts[key], key, faults)) is not None}
    draft = ImportMap(**{"external_id": "", **read, "fields": mapped})
    return draft, faults + _faults(draft)


def fields_of(tree: Any, at: str, faults: list[str]) -> dict[str, FieldMap]:
    """The fields under a key of the map; `name = "column"` is short for `name = { column = "column" }`."""
    if not isinstance(tree, dict):
        faults.append(f"{at}: must be a table, with a key for each field")
        return {}
    mapped: dict[str, FieldMap] = {}
    for name, value in tree.items():
        before = len(faults)
        written = {"column": value} if isinstance(value, str) else value
        if isinstance(written, dict):
            written = _known_keys(written, FieldMap, f"{at}.{name}", faults)
        mapped[name] = _converted(written, FieldMap, f"{at}.{name}", faults) or FieldMap()
        if len(faults) == before:
            faults += [f"{at}.{name}: {fault}" for fault in _field_faults(mapped[name])]
    return mapped


def _know_nested(tree: dict[str, Any], faults: list[str]) -> None:
    for key, kind in (("numbers", Numbers), ("pipeline", PipelineMap)):
        if isinstance(tree.get(key), dict):
            tree[key] = _known_keys(tree[key], kind, key, faults)


def _known_keys(tree: Mapping[str, Any], kind: type[Struct], at: str, faults: list[str]) -> dict[str, Any]:
    """The keys that such a table has; `faults` names the others."""
    known = {each.name for each in structs.fields(kind)}
    faults += [f"{at or 'the map'}: Object contains unknown field `{key}`" for key in tree if key not in known]
    return {key: value for key, value in tree.items() if key in known}


def _converted(tree: Any, into: Any, at: str, faults: list[str]) -> Any:
    """A part of the map as what it should be, None where it isn't: then `faults` says why."""
    try:
        return msgspec.convert(tree, into)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        key = (at + path.rstrip("`")).strip(".").replace("[...]", "")
        faults.append(f"{key or 'the map'}: {reason}")
        return None


def _field_faults(field: FieldMap) -> list[str]:
    found = []
    if field.column is not None and field.template is not None:
        found.append("has a column and a template: one of them is enough")
    if field.column is None and field.template is None and field.default is None:
        found.append("needs a column, a template or a default")
    if field.create and not field.create_missing:
        found.append("has fields to create, but create_missing is not true")
    if field.factor is not None and not _SMALLEST <= field.factor <= 1 / _SMALLEST:
        found.append("factor: must be a number between 1e-12 and 1e12")
    if field.date_format is not None and not _is_date_format(field.date_format):
        found.append(f"date_format: {field.date_format!r} is none")
    return found


def _is_date_format(form: str) -> bool:
    """Whether strptime takes it, and reads a whole date with it."""
    try:
        return datetime.strptime(_ANY_DAY.strftime(form), form).date() == _ANY_DAY.date()  # noqa: DTZ007
    except ValueError:
        return False


def is_delimiter(text: str) -> bool:
    """Whether cells can stand apart by it."""
    return len(text) == 1 and text not in '"\r\n'


def _faults(read: ImportMap) -> list[str]:
    found = []
    if not is_delimiter(read.delimiter):
        found.append("delimiter: must be one character, and neither a quote nor a line end")
    if len(read.numbers.decimal) != 1 or len(read.numbers.thousands) > 1:
        found.append("numbers: separators are single characters (thousands may be empty)")
    elif read.numbers.decimal == read.numbers.thousands:
        found.append("numbers: the decimal and the thousands separator can't be the same")
    if not _is_date_format(read.date_format):
        found.append(f"date_format: {read.date_format!r} is none")
    if read.pipeline is not None and read.pipeline.external_id is not None and read.pipeline.name is None:
        found.append("pipeline.name: a pipeline with an external_id needs one, to be made if it is missing")
    return found
