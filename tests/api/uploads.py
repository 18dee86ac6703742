"""Files that people attach to records, and what is left of them on disk."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from httpx import Response

from tests.api.stand import Company, Person

TEXT = b"Dear Ada,\n\nyours\n"
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
GIF = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00;"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9"


def office(main: str, *others: str, last: bool = False) -> bytes:
    """An Office document with that main part; with its list of parts first, or last as openpyxl writes it."""
    types = f'<Types><Override PartName="/main.xml" ContentType="{main}.main+xml"/></Types>'.encode()
    parts = {"[Content_Types].xml": types, "main.xml": b"<x/>", **dict.fromkeys(others, b"x")}
    return zipped(dict(reversed(parts.items())) if last else parts)


def zipped(parts: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP with these parts."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return made.getvalue()


def attach(
    person: Person, record: str, content: bytes = TEXT, name: str = "letter.txt", *, to: str = "account", key: str = ""
) -> Response:
    """An upload as browsers send it, with an idempotency key or without."""
    headers = {"Idempotency-Key": key} if key else {}
    where = {"entity": to, "record": record}
    return person.ask("POST", "/files", params=where, files={"file": (name, content)}, headers=headers)


def attached(
    person: Person, record: str, content: bytes = TEXT, name: str = "letter.txt", *, to: str = "account"
) -> str:
    """A file that was attached; its id."""
    answer = attach(person, record, content, name, to=to)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def on_disk(root: Path, tenant: Any) -> list[Path]:
    """All that is there of a tenant."""
    return sorted(path for path in root.rglob("*") if path.is_file() and str(tenant) in str(path))


def stored(company: Company) -> int:
    """The bytes that are counted of a tenant: in all, and file by file."""
    sql = (
        "SELECT (SELECT bytes FROM storage_use WHERE tenant_id = %(tenant)s) AS bytes,"
        " (SELECT sum(bytes)::bigint FROM stored_files WHERE tenant_id = %(tenant)s) AS files"
    )
    [row] = company.application.database.read(company.profile.id, sql)
    assert (row["bytes"] or 0) == (row["files"] or 0)
    return row["bytes"] or 0
