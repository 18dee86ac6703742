"""Records of a file as rows: values of the fields that a map names, or the reasons why not."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, structs

from application.importing.columns import Column, Texts, canonical
from application.importing.kinds import Form, Kind
from application.importing.mapping import ImportMap
from application.importing.problems import Problem, Rejected
from application.importing.reading import Record
from application.importing.texts import NotReadable

EXTERNAL_ID = "external_id"


class Row(Struct, frozen=True, kw_only=True):
    """A record of the file as values of its fields, None where it has none; references are external ids.

    `sources` holds the texts that the values stand for, to be compared with the last import. A row with `problems`
    goes the same way as others, so that all that is wrong with it is said at once; it is never stored.
    """

    number: int
    cells: list[str]
    external_id: str
    values: Mapping[str, Any]
    sources: Mapping[str, str]
    texts: Texts
    problems: tuple[Problem, ...] = ()


class Made(Struct, frozen=True, kw_only=True):
    """What makes a missing record that a field refers to. `hides_id`: its external id says who somebody is."""

    kind: Kind
    columns: Mapping[str, Column]
    hides_id: bool

    def values(self, row: Row, now: datetime) -> dict[str, Any]:
        """The values of the record to be made. Raises Rejected."""
        values, problems = _read(self.columns, row.texts, now)
        if problems:
            raise Rejected(problems)
        return values


class Plan(Struct, frozen=True, kw_only=True):
    """A map over a file's header. `cells` says which columns are used: index, name, aliases."""

    kind: Kind
    map: ImportMap
    header: tuple[str, ...]
    columns: Mapping[str, Column]
    made: Mapping[str, Made]
    references: tuple[str, ...]
    hides_id: bool
    column_of: Mapping[str, str]
    cells: tuple[tuple[int, str, Mapping[str, str]], ...]

    def row(self, record: Record, now: datetime) -> Row:
        """The values of a record, and what of it can't be read. Raises Rejected where nothing can."""
        if record.fault is not None:
            raise Rejected((Problem(code="unreadable_row", reason=record.fault),))
        texts = {}
        for index, name, aliases in self.cells:
            text = record.cells[index].strip()
            texts[name] = aliases.get(text, text)
        external_id = texts[self.map.external_id]
        values, problems = _read(self.columns, texts, now)
        if not external_id:
            problems.append(Problem(code="missing", reason="The external id is missing.", field=EXTERNAL_ID))
            raise Rejected(problems)
        return Row(
            number=record.number,
            cells=record.cells,
            external_id=external_id,
            values=values,
            sources={name: canonical(value) for name, value in values.items() if value is not None},
            texts=texts,
            problems=tuple(problems),
        )

    def in_column(self, problem: Problem) -> Problem:
        """The problem with the column that its field comes from."""
        return structs.replace(problem, column=self.column_of.get(problem.field or ""))


def _read(columns: Mapping[str, Column], texts: Texts, now: datetime) -> tuple[dict[str, Any], list[Problem]]:
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, column in columns.items():
        values[name] = None
        text = column.text(texts)
        if not text:
            continue
        try:
            value = column.value(text)
        except NotReadable as error:
            problems.append(Problem(code="not_readable", reason=str(error), field=name))
            continue
        if column.field.form is Form.MOMENT and value > now:
            problems.append(Problem(code="future_date", reason=f"'{text}' lies in the future.", field=name))
        values[name] = value
    return values, problems
