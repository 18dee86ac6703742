"""Directories: a table with one row per record of an entity, to get one by its id and to list many."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from domain.kernel import Erased, NotFound, Personal, Sealed, readable
from projections.changes import Batch, Story
from projections.ownership import live, shown_to
from projections.pages import Cursors, InvalidSort, Page, PageRequest, check_storable
from projections.ports import Database, Rows
from projections.viewer import Viewer, visible


class Record(Struct, frozen=True, kw_only=True):
    """What every row says of its record. `created_by` and `updated_by` are actors, such as `user-0192…` or `import`."""

    id: UUID
    version: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str
    archived: bool = False


R = TypeVar("R", bound=Record)
F = TypeVar("F", bound=Struct)

_TYPES: Mapping[str, Any] = {
    "text": str,
    "uuid": UUID,
    "numeric": Decimal,
    "integer": int,
    "bigint": int,
    "boolean": bool,
    "date": date,
    "timestamptz": datetime,
}


class Column(Struct, frozen=True):
    """A column beside the document, for filters and sorts: its SQL type, and its value where that is no field's."""

    type: str
    value: Callable[[Any], Any] | None = None


_OF_ALL: Mapping[str, Column] = {
    "id": Column("uuid"),
    "archived": Column("boolean"),
    "created_at": Column("timestamptz"),
    "updated_at": Column("timestamptz"),
}


ARCHIVED: Mapping[bool, str] = {True: "archived", False: "NOT archived"}
"""The condition of that name: told as it is, it lets PostgreSQL use the index of what is archived, which is little."""


class Directory(Generic[R, F]):
    """The rows of one entity: `fold` makes a row of a record's story.

    `columns`, `conditions` (field of `filters` → SQL, or of a boolean one → its value → SQL) and `sorts` (name →
    column) are all that is ever put into a statement. `order` is the sort unless told; `owner` the column that narrows
    a viewer's view, where there is one, `seen` a condition that narrows it otherwise; `told` what is answered of a row,
    if that isn't just its document.
    """

    def __init__(
        self,
        *,
        name: str,
        entity: str,
        row: type[R],
        fold: Callable[[Story], R],
        columns: Mapping[str, Column],
        filters: type[F],
        conditions: Mapping[str, str | Mapping[bool, str]],
        sorts: Mapping[str, str],
        order: str,
        owner: str | None = None,
        seen: str | None = None,
        told: str = "document",
    ) -> None:
        self.name = name
        self.tables: Sequence[str] = (name,)
        self.entity = entity
        self._fold = fold
        self._columns = {**_OF_ALL, **columns}
        self.filters = filters
        self.conditions = conditions
        self.sorts = sorts
        self._order = order
        self.owner = owner
        narrowed = seen or (visible(owner) if owner else None)
        self._visible = f"AND {narrowed}" if narrowed else ""
        self._told = told
        self._upsert = self._upsert_statement()
        self._decoder = msgspec.json.Decoder(row)

    def project(self, rows: Rows, batch: Batch) -> None:
        """Writes the row of each touched record as its events leave it; an older story changes nothing."""
        stories = [story for story in batch.of(self.entity) if story.state is not None]
        if not stories:
            return
        made = [self._fold(story) for story in stories]
        parameters: dict[str, list[Any]] = {
            name: [column.value(row) if column.value else getattr(row, name) for row in made]
            for name, column in self._columns.items()
        }
        parameters["position"] = [story.position for story in stories]
        parameters["document"] = [msgspec.json.encode(row).decode() for row in made]
        rows.execute(self._upsert, parameters)

    def get(self, database: Database, viewer: Viewer, record: UUID) -> R:
        """One row, archived or not. Raises NotFound."""
        found = database.read(
            viewer.tenant,
            f"SELECT ({self._told})::text AS document FROM {self.name}"  # noqa: S608
            f" WHERE tenant_id = %(tenant)s AND generation = {self._live} AND id = %(id)s {self._visible}",
            {"id": record, **shown_to(viewer)},
            one_plan=True,
        )
        if not found:
            raise NotFound(f"There is no such {self.entity}.")
        return self._decoder.decode(found[0]["document"])

    def page(self, database: Database, viewer: Viewer, filters: F, request: PageRequest) -> Page[R]:
        """A page of the rows that match. Raises InvalidSort, InvalidCursor or Invalid."""
        sort = request.checked().sort or self._order
        column = self.sorts.get(sort.removeprefix("-"))
        if column is None:
            raise InvalidSort(f"Sort by one of {', '.join(self.sorts)}.", field="/sort")
        wanted = {name: value for name, value in structs.asdict(filters).items() if value is not None}
        for name, value in wanted.items():
            check_storable(value, field=f"/{name}")
        place: list[Any] = []
        cursors = Cursors(viewer.tenant, self.name, sort, wanted)
        if request.cursor is not None:
            place = cursors.place(request.cursor, (_TYPES[self._columns[column].type] | None, UUID))
        found = database.read(
            viewer.tenant,
            self._list_statement(wanted, column, sort.startswith("-"), place),
            {
                **wanted,
                **shown_to(viewer),
                "zone": viewer.time_zone,
                "place": place[0] if place else None,
                "last": place[1] if place else None,
                "rows": request.limit + 1,
            },
        )
        items = [self._decoder.decode(row["document"]) for row in found[: request.limit]]
        end = found[request.limit - 1] if len(found) > request.limit else None
        return Page(items=items, next=cursors.after(end["place"], end["id"]) if end else None)

    def _list_statement(self, wanted: Mapping[str, Any], column: str, descending: bool, place: Sequence[Any]) -> str:
        """Rows with a value in the sort's column, then those without one; each part is a range of an index."""
        matching = " ".join(f"AND {self._condition(name, value)}" for name, value in wanted.items())
        direction, beyond = ("DESC", "<") if descending else ("ASC", ">")
        order = f"{column} {direction}, id {direction}"
        behind = f"AND ({column}, id) {beyond} (%(place)s::{self._columns[column].type}, %(last)s)"
        parts = []
        if not place or place[0] is not None:
            parts.append(f"AND {column} IS NOT NULL {behind if place else ''}")
        parts.append(f"AND {column} IS NULL {f'AND id {beyond} %(last)s' if place and place[0] is None else ''}")
        selects = (
            f"(SELECT {number} AS part, id, {column} AS place, {self._told} AS document FROM {self.name}"  # noqa: S608
            f" WHERE tenant_id = %(tenant)s AND generation = {self._live} {self._visible} {matching} {part}"
            f" ORDER BY {order} LIMIT %(rows)s)"
            for number, part in enumerate(parts)
        )
        return (
            f"SELECT id, place, document::text AS document FROM ({' UNION ALL '.join(selects)}) found"  # noqa: S608
            f" ORDER BY part, place {direction}, id {direction} LIMIT %(rows)s"
        )

    def _condition(self, name: str, value: Any) -> str:
        condition = self.conditions[name]
        return condition if isinstance(condition, str) else condition[value]

    @property
    def _live(self) -> str:
        return live(self.name)

    def _upsert_statement(self) -> str:
        types = {**{name: each.type for name, each in self._columns.items()}, "position": "bigint", "document": "jsonb"}
        names = ", ".join(types)
        arrays = ", ".join(
            f"%({name})b::{'text[]::jsonb' if each == 'jsonb' else each}[]" for name, each in types.items()
        )
        changed = ", ".join(f"{name} = excluded.{name}" for name in types if name != "id")
        return (
            f"INSERT INTO {self.name} AS old (tenant_id, generation, {names})"  # noqa: S608
            f" SELECT %(tenant)s, %(generation)s, u.* FROM unnest({arrays}) AS u ({names})"
            f" ON CONFLICT (tenant_id, generation, id) DO UPDATE SET {changed} WHERE old.position < excluded.position"
        )


def row_of(story: Story, row: type[R], **others: Any) -> R:
    """A record's row: the fields of its state by their names, and `others` that aren't there or are derived."""
    first, last = story.events[0], story.events[-1]
    told = {
        "id": story.id,
        "version": last.version,
        "created_at": first.recorded_at,
        "created_by": first.metadata.actor,
        "updated_at": last.recorded_at,
        "updated_by": last.metadata.actor,
        "archived": story.state.archived,
    }
    return msgspec.convert({**structs.asdict(story.state), **told, **others}, row, from_attributes=True)


def personal_fields(personal: Personal | Sealed | Erased) -> dict[str, Any]:
    """Personal data as fields of a row; of an erased one, only that it is erased. Raises PersonalDataSealed."""
    return {"erased": True} if isinstance(personal, Erased) else structs.asdict(readable(personal))


def sort_key(text: str | None) -> str | None:
    """By which people expect a text to be sorted: without case and accents. Cut, so that any index takes it."""
    if text is None:
        return None
    spelled = unicodedata.normalize("NFKD", text.casefold())
    return "".join(each for each in spelled if not unicodedata.combining(each))[:200]
