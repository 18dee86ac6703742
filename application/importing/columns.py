"""One field of a map over the columns of a file: what text a row has for it, and what value that is."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from application.importing.kinds import Field, Form
from application.importing.mapping import FieldMap, ImportMap, Scalar
from application.importing.texts import NumberFormat, day, flag, moment, split_name, whole

Texts = Mapping[str, str]
"""Column → the trimmed text of a row, aliases replaced."""

_PARTS = re.compile(r"(\{\{|\}\}|\{[^{}]+\})")


class Template:
    """A text with columns in braces; `{{` and `}}` are braces themselves."""

    def __init__(self, text: str) -> None:
        self._parts: list[tuple[str, str | None]] = []
        for part in _PARTS.split(text):
            if part in ("{{", "}}"):
                self._parts.append((part[0], None))
            elif len(part) > 2 and part.startswith("{") and part.endswith("}"):
                self._parts.append(("", part[1:-1]))
            else:
                self._parts.append((part, None))
        self.columns = tuple(column for _, column in self._parts if column is not None)

    def fill(self, texts: Texts) -> str:
        """The text of a row, empty where one of the columns is."""
        if not all(texts[column] for column in self.columns):
            return ""
        return "".join(literal if column is None else texts[column] for literal, column in self._parts).strip()


class Column:
    """A mapped field: its `text` in a row, and the `value` of such a text."""

    def __init__(self, field: Field, mapped: FieldMap, map: ImportMap, zone: ZoneInfo) -> None:
        self.field = field
        self.mapped = mapped
        templates = (mapped.template,) if isinstance(mapped.template, str) else mapped.template or ()
        self._templates = tuple(Template(text) for text in templates)
        self._default = _written(mapped.default, map.numbers.decimal)
        self.columns = (mapped.column,) if mapped.column else tuple({c: 0 for t in self._templates for c in t.columns})
        self.value = _reader(field.form, mapped, map, zone)

    def text(self, texts: Texts) -> str:
        """What a row says, else the default; empty where there is neither."""
        if self.mapped.column is not None:
            text = texts[self.mapped.column]
        else:
            text = next(filter(None, (template.fill(texts) for template in self._templates)), "")
        if self.mapped.part is not None and text:
            first, last = split_name(text)
            text = first if self.mapped.part == "first" else last
        return text or self._default


def _written(default: Scalar | None, decimal: str) -> str:
    """A default as the file would write it."""
    match default:
        case None:
            return ""
        case bool():
            return "yes" if default else "no"
        case float():
            return str(default).replace(".", decimal)
        case _:
            return str(default)


def _reader(form: Form, mapped: FieldMap, map: ImportMap, zone: ZoneInfo) -> Callable[[str], Any]:
    """What makes the value of a text. It raises NotReadable."""
    numbers = NumberFormat(map.numbers.decimal, map.numbers.thousands)
    factor = mapped.multiplier()
    date_format = mapped.date_format or map.date_format
    match form:
        case Form.NUMBER:
            return lambda text: numbers.read(text, factor)
        case Form.WHOLE:
            return lambda text: whole(numbers.read(text, factor))
        case Form.FLAG:
            return flag
        case Form.DAY:
            return lambda text: day(text, date_format)
        case Form.MOMENT:
            return lambda text: moment(text, date_format, zone)
        case Form.TEXT | Form.REFERENCE:
            return str


def canonical(value: Any) -> str:
    """A value as the same text however it was written: what is compared with the last import."""
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
