"""What a file is, by its bytes. Its name and what its sender says of it count for nothing.

`puremagic` knows the beginnings of binary formats. What has none is looked at here: texts, and what is in a ZIP.
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import puremagic

TEXT = "text/plain"
CSV = "text/csv"
ZIP = "application/zip"
UNKNOWN = "application/octet-stream"

_HEAD = 8192
_CHUNK = 1 << 18
_CONFIDENT = 0.3
"""Of puremagic: the signature has three bytes or more."""

# What a text doesn't have: "binary data bytes" of the WHATWG's MIME Sniffing standard.
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*<[a-zA-Z!?/]")
_TEXTUAL = ((b"%PDF-", "application/pdf"), (b"{\\rtf", "application/rtf"), (b"%!PS", "application/postscript"))

_OPEN_DOCUMENT = re.compile(rb"application/vnd\.oasis\.opendocument\.[a-z-]{1,50}")
_OFFICE = "application/vnd.openxmlformats-officedocument."
_MAIN_PARTS = tuple(
    (f'ContentType="{_OFFICE}{name}.main+xml"'.encode(), f"{_OFFICE}{name}")
    for name in ("wordprocessingml.document", "spreadsheetml.sheet", "presentationml.presentation")
)
_LARGEST_DIRECTORY = 4_000_000
_LARGEST_PART = 1_000_000


def content_type(file: BinaryIO) -> str:
    """The media type of a file's bytes: UNKNOWN for what nobody knows, and for what is two things at once."""
    file.seek(0)
    head = file.read(_HEAD)
    if head.startswith(b"PK\x03\x04"):
        return _in_zip(file)
    if _is_text(file):
        return _text_type(head)
    try:
        best = max(puremagic.magic_string(head), key=lambda each: each.confidence)
    except puremagic.PureError:
        return UNKNOWN
    if not best.mime_type or best.confidence < _CONFIDENT or _ends_in_zip(file):
        return UNKNOWN
    return str(best.mime_type)


def refined(media_type: str, name: str) -> str:
    """A text that is called so is CSV: nothing in it could tell. What no text is stays what it is."""
    return CSV if media_type == TEXT and name.lower().endswith(".csv") else media_type


def _text_type(head: bytes) -> str:
    if _MARKUP.match(head):
        return "text/html"
    return next((kind for beginning, kind in _TEXTUAL if head.startswith(beginning)), TEXT)


def _is_text(file: BinaryIO) -> bool:
    """Whether there is a text, in UTF-8 or an older alphabet with ASCII in it, to the last byte."""
    return not any(_BINARY.search(chunk) for chunk in _chunks(file))


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(_CHUNK):
        yield chunk


def _in_zip(file: BinaryIO) -> str:
    """An office document by its main part; any other ZIP, and one with macros in it, is a ZIP."""
    if not _ends_in_zip(file):
        return UNKNOWN
    try:
        with zipfile.ZipFile(file) as parts:
            return _office_type(parts) or ZIP
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, OSError, zlib.error):
        return ZIP  # broken, encrypted, or packed in a way that office programs don't use


def _office_type(parts: zipfile.ZipFile) -> str | None:
    names = parts.namelist()
    if any(each.lower().endswith("vbaproject.bin") for each in names):
        return None
    if names[:1] == ["mimetype"] and _OPEN_DOCUMENT.fullmatch(told := _part(parts, "mimetype").strip()):
        return told.decode()
    if "[Content_Types].xml" in names:
        told = _part(parts, "[Content_Types].xml")
        return next((kind for part, kind in _MAIN_PARTS if part in told), None)
    return None


def _part(parts: zipfile.ZipFile, name: str) -> bytes:
    """The beginning of a part, however much it says that it unpacks to.

    Raises NotImplementedError for what office programs don't write: zipfile unpacks BZIP2 and LZMA without a bound.
    """
    if parts.getinfo(name).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise NotImplementedError
    with parts.open(name) as part:
        return part.read(_LARGEST_PART)


def _ends_in_zip(file: BinaryIO) -> bool:
    """Whether the last bytes close a ZIP, of a size that can be looked at: an image must not, a ZIP must."""
    file.seek(0, 2)
    size = file.tell()
    file.seek(max(0, size - 65_557))
    tail = file.read()
    start = tail.rfind(b"PK\x05\x06")
    if start < 0 or len(tail) - start < 22:
        return False
    directory, _, comment = struct.unpack("<IIH", tail[start + 12 : start + 22])
    # With a ZIP64 locator before this record, zipfile believes the sizes of another one.
    closes: bool = start + 22 + comment == len(tail) and tail[max(0, start - 20) : start][:4] != b"PK\x06\x07"
    return closes and bool(directory <= min(_LARGEST_DIRECTORY, size))
