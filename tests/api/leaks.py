"""Keeps an eye on all that a run of tests sends and is answered, and finds what of its secrets was left anywhere."""

import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
from psycopg import sql

_SECRET_FIELD = re.compile(r"password|token|secret|key$|codes?$", re.IGNORECASE)
_OF_SECOND_FACTORS = re.compile("^(secret|recovery_codes)$")
_ISSUED = re.compile(r"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}|[\w-]{80,}={0,2}")
_SHORTEST = 12
"""Shorter ones are no secrets but tests of what is refused, and stand in many a word."""


class Leaks(logging.Handler):
    """The secrets that went over the wire, and the lines that were logged meanwhile."""

    def __init__(self, *known: str) -> None:
        super().__init__()
        self.typed: set[str] = set(known)
        self.issued: set[str] = set()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps a line, with all that was added to it."""
        self.lines.append(f"{record.getMessage()} {record.__dict__} {record.exc_text or ''}")

    def of_request(self, request: httpx.Request) -> None:
        """Keeps the secrets of a request's body, and its token."""
        self.issued.update(_ISSUED.findall(" ".join(request.headers.values())))
        self.typed.update(_secrets(_read(request.content if hasattr(request, "_content") else b"")))

    def of_response(self, response: httpx.Response) -> None:
        """Keeps the secrets that an answer hands out; those of second factors are short, and looked for like typed
        ones."""
        told = _read(response.read())
        self.issued.update(_secrets(told))
        for each in _secrets(told, wanted=_OF_SECOND_FACTORS):
            self.typed.update((each, each.replace("-", "")))

    def found_in(self, text: str) -> set[str]:
        """The secrets that stand in a text, as they are or as hexadecimal digits."""
        issued = self.issued & set(_ISSUED.findall(text))
        return issued | {each for each in self.typed if each in text or each.encode().hex() in text}


def _read(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _secrets(value: Any, name: str = "", wanted: re.Pattern[str] = _SECRET_FIELD) -> Iterator[str]:
    """The texts of all fields whose name says that they are secret."""
    match value:
        case dict():
            for key, each in value.items():
                yield from _secrets(each, key, wanted)
        case list():
            for each in value:
                yield from _secrets(each, name, wanted)
        case str() if wanted.search(name) and len(value) >= _SHORTEST:
            yield value


def rows(superuser_url: str) -> Iterator[tuple[str, str]]:
    """Every row of every table as text, with the table's name."""
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in tables:
            query = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(schema, table))
            yield f"{schema}.{table}", "\n".join(row[0] for row in connection.execute(query))
