"""A map laid over the header of a file, with all that doesn't fit said at once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import structs

from application.importing.catalogue import kind_of
from application.importing.columns import Column
from application.importing.kinds import Form, Kind
from application.importing.mapping import FieldMap, ImportMap, fields_of
from application.importing.problems import MapRefused
from application.importing.rows import EXTERNAL_ID, Made, Plan

_PART: Mapping[str, Any] = {"first_name": "first", "last_name": "last"}


def plan(kind: Kind, map: ImportMap, header: Sequence[str], zone: ZoneInfo) -> Plan:
    """How the records of a file become rows of that kind. Raises MapRefused; dates are days of the zone."""
    planner = _Planner(map, zone)
    columns, made, used = planner.fit(kind)
    planner.check_header(header, {*used, *map.aliases})
    if planner.faults:
        raise MapRefused("\n".join(planner.faults))
    return Plan(
        kind=kind,
        map=map,
        header=tuple(header),
        columns=columns,
        made=made,
        references=tuple(name for name, each in columns.items() if each.field.form is Form.REFERENCE),
        hides_id=_feeds_personal(kind, columns, map.external_id),
        column_of={name: each.columns[0] for name, each in columns.items() if each.columns}
        | {EXTERNAL_ID: map.external_id},
        cells=tuple((header.index(name), name, map.aliases.get(name, {})) for name in used),
    )


def misfits(kind: Kind, draft: ImportMap, header: Sequence[str] | None) -> list[str]:
    """What of a map, which may have faults of its own, doesn't fit the kind or the header, if that is known."""
    planner = _Planner(draft, ZoneInfo("UTC"))
    _, _, used = planner.fit(kind)
    if header is not None:
        planner.check_header(header, {*filter(None, used), *draft.aliases})
    return planner.faults


class _Planner:
    """Collects what is wrong with a map."""

    def __init__(self, map: ImportMap, zone: ZoneInfo) -> None:
        self._map = map
        self._zone = zone
        self.faults: list[str] = []

    def fit(self, kind: Kind) -> tuple[dict[str, Column], dict[str, Made], tuple[str, ...]]:
        """The fields, what makes the records that they refer to, and the columns that both use."""
        if self._map.records not in (None, kind.name):
            self.faults.append(f"records: the map is for {self._map.records}, not for {kind.name}")
            return {}, {}, ()
        if self._map.pipeline is not None and kind.entity != "deal":
            self.faults.append(f"pipeline: {kind.name} have none")
        columns = self.columns(kind, self._map.fields, "fields")
        made = {name: made for name, each in columns.items() if (made := self.made(name, each))}
        return columns, made, tuple(dict.fromkeys((self._map.external_id, *_used(columns), *_used_by(made))))

    def columns(self, kind: Kind, mapped: Mapping[str, FieldMap], at: str) -> dict[str, Column]:
        """The mapped fields of a kind."""
        if "currency" in kind.fields and "currency" not in mapped and self._map.currency is not None:
            mapped = {**mapped, "currency": FieldMap(default=self._map.currency)}
        columns = {}
        for name, each in mapped.items():
            field = kind.fields.get(name)
            if field is None:
                known = ", ".join(sorted(kind.fields))
                self.faults.append(f"{at}.{name}: {kind.name} have no such field, but {known}")
                continue
            if each.create_missing and field.entity is None:
                self.faults.append(f"{at}.{name}.create_missing: the field refers to no other record")
            columns[name] = Column(field, each, self._map, self._zone)
        self.faults += [f"{at}: {kind.name} need a {name}" for name in kind.required if name not in mapped]
        return columns

    def made(self, name: str, column: Column) -> Made | None:
        """What makes the records that a field refers to, where the map asks for it: named by their external id."""
        if not column.mapped.create_missing or column.field.entity is None:
            return None
        kind = kind_of(column.field.entity)
        named = structs.replace(column.mapped, create_missing=False, create={}, default=None)
        mapped = {field: structs.replace(named, part=_PART.get(field)) for field in kind.required}
        mapped |= fields_of(column.mapped.create, f"fields.{name}.create", self.faults)
        columns = self.columns(kind, mapped, f"fields.{name}.create")
        if any(each.field.form is Form.REFERENCE for each in columns.values()):
            self.faults.append(f"fields.{name}.create: can't refer to further records")
        hides_id = any(_feeds_personal(kind, columns, each) for each in column.columns)
        return Made(kind=kind, columns=columns, hides_id=hides_id)

    def check_header(self, header: Sequence[str], used: set[str]) -> None:
        """The file has the columns that the map names."""
        missing = sorted(used - set(header))
        if missing:
            seen = ", ".join(filter(None, header))
            hint = f" Is the delimiter really {self._map.delimiter!r}?" if len(header) == 1 else ""
            names = ", ".join(missing)
            self.faults.append(f"The file has no column {names}; its header (row 1) has {seen}.{hint}")


def _used(columns: Mapping[str, Column]) -> Iterator[str]:
    for each in columns.values():
        yield from each.columns


def _used_by(made: Mapping[str, Made]) -> Iterator[str]:
    for each in made.values():
        yield from _used(each.columns)


def _feeds_personal(kind: Kind, columns: Mapping[str, Column], column: str) -> bool:
    """Whether a column that serves as external id also says who somebody is."""
    return any(column in each.columns for name, each in columns.items() if name in kind.personal)
