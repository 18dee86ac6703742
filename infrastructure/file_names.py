"""How a file is called when it is sent, so that no program does with it what its content isn't for."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from urllib.parse import quote

# The first is added where another one stands. A text whose name ends in `.html` or `.js` runs by a double click.
_ENDINGS: Mapping[str, Sequence[str]] = {
    "text/plain": (".txt", ".text", ".log", ".md", ".csv", ".tsv"),
    "text/csv": (".csv",),
    "image/jpeg": (".jpg", ".jpeg", ".jfif"),
    "image/tiff": (".tif", ".tiff"),
    "image/heif": (".heic", ".heif"),
    "image/png": (".png",),
    "image/gif": (".gif",),
    "image/webp": (".webp",),
    "application/pdf": (".pdf",),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": (".docx",),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": (".xlsx",),
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": (".pptx",),
    "application/vnd.oasis.opendocument.text": (".odt",),
    "application/vnd.oasis.opendocument.spreadsheet": (".ods",),
    "application/vnd.oasis.opendocument.presentation": (".odp",),
    "application/zip": (".zip",),
}
_OTHER = (".bin",)
"""Of kinds that an operator has allowed besides."""
_ATTR_CHAR = "!#$&+-.^_`|~"
"""What stands for itself in an extended parameter beside letters and digits (RFC 8187, 3.2.1)."""
_PLAIN = re.compile(r"[^A-Za-z0-9 ._()+-]")


def content_disposition(name: str, media_type: str) -> str:
    """The header (RFC 6266) that has a file saved under its name, whatever is in that."""
    told = sent_name(name, media_type)
    ascii_only = unicodedata.normalize("NFKD", told).encode("ascii", "ignore").decode()
    plain = _PLAIN.sub("_", ascii_only).strip()
    plain = f"file{plain}" if plain[:1] in ("", ".") else plain
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(told, safe=_ATTR_CHAR)}"


def sent_name(name: str, media_type: str) -> str:
    """The name with an ending that fits the content: one of its kind's, added where it has another."""
    endings = _ENDINGS.get(media_type, _OTHER)
    if name.lower().rstrip(". ").endswith(tuple(endings)):
        return name
    return name + endings[0]
