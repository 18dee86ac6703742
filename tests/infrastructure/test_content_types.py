"""What a file is, by its bytes alone."""

import io
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.content_types import CSV, TEXT, UNKNOWN, ZIP, content_type, refined
from infrastructure.settings import FILE_TYPES
from tests.api.uploads import GIF, JPEG, PDF, PNG, office, zipped

OFFICE = "application/vnd.openxmlformats-officedocument."
DOCX, XLSX, PPTX = (
    f"{OFFICE}{name}" for name in ("wordprocessingml.document", "spreadsheetml.sheet", "presentationml.presentation")
)
ODT = "application/vnd.oasis.opendocument.text"


def of(content: bytes) -> str:
    return content_type(io.BytesIO(content))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PDF, "application/pdf"),
        (b"%PDF-1.4\nall of it is ASCII", "application/pdf"),
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (GIF, "image/gif"),
        (b"RIFF\x24\0\0\0WEBPVP8 " + b"\0" * 20, "image/webp"),
        (b"II*\0\x08\0\0\0" + b"\0" * 20, "image/tiff"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 20, "image/heif"),
        (office(DOCX), DOCX),
        (office(XLSX, last=True), XLSX),
        (office(PPTX), PPTX),
        (zipped({"mimetype": ODT.encode(), "content.xml": b"<x/>"}, zipfile.ZIP_STORED), ODT),
        (b"name,amount\nAda,1054\n", TEXT),
        ("Größe;Straße\r\n".encode("cp1252"), TEXT),
        ("\ufeffGröße\n".encode(), TEXT),
        (b"BMW is a text, MZ, ID3 and PK too", TEXT),
    ],
)
def test_what_is_attached_to_customers_is_known_and_allowed(content, kind):
    assert of(content) == kind
    assert kind in FILE_TYPES


REFUSED = {
    "HTML": b"<!doctype html><script>alert(1)</script>",
    "HTML behind blanks": b" \r\n\t<HTML>",
    "HTML behind a mark": b"\xef\xbb\xbf<script>",
    "a comment in front": b"<!-- x --><script>",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "XML": b'<?xml version="1.0"?><svg/>',
    "Windows program": b"MZ\x90\0\x03\0\0\0" + b"\0" * 100,
    "Linux program": b"\x7fELF\x02\x01\x01" + b"\0" * 100,
    "Java archive": zipped({"META-INF/MANIFEST.MF": b"x", "A.class": b"\xca\xfe\xba\xbe"}),
    "ZIP": zipped({"a.txt": b"a"}),
    "document with macros": office(DOCX, "word/vbaProject.bin"),
    "document that says it has macros": office("application/vnd.ms-word.document.macroEnabled"),
    "old Word": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
    "gzip": b"\x1f\x8b\x08\0" + b"\0" * 20,
    "RTF": b"{\\rtf1\\ansi}",
    "PostScript": b"%!PS-Adobe-3.0\n",
    "UTF-16": "text".encode("utf-16"),
    "anything": bytes(range(256)),
    "image and ZIP": PNG + zipped({"a.class": b"a"}),
    "GIF and JAR": GIF + zipped({"META-INF/MANIFEST.MF": b"a"}),
    "PDF and ZIP": PDF + zipped({"a.class": b"a"}),
    "PDF behind something": b"\0" * 10 + PDF,
    "broken ZIP": zipped({"[Content_Types].xml": b"a" * 100})[:60],
    "ZIP with a tail": office(DOCX) + b"<script>alert(1)</script>",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_run_or_is_two_things_at_once_is_nothing_that_is_allowed(name):
    assert of(REFUSED[name]) not in FILE_TYPES


def test_an_image_that_is_a_script_too_is_sent_as_a_text():
    assert of(b"GIF89a=1;alert(1)") == TEXT


def test_a_bomb_is_not_unpacked():
    bomb = zipped({"mimetype": b"a", "[Content_Types].xml": b" " * 200_000_000})
    assert len(bomb) < 300_000
    assert of(bomb) == ZIP


@pytest.mark.parametrize("packed", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_unpacks_without_a_bound_is_not_unpacked(packed, monkeypatch):
    bomb = zipped({"mimetype": b"a", "[Content_Types].xml": b" " * 20_000_000}, packed)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("it was unpacked"))
    assert of(bomb) == ZIP


def test_a_directory_whose_size_stands_elsewhere_is_not_read():
    whole = zipped({"mimetype": b"a", "[Content_Types].xml": b"b"})
    start = whole.rfind(b"PK\x05\x06")
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, 0, 1)
    assert of(whole) == ZIP
    assert of(whole[:start] + locator + whole[start:]) == UNKNOWN


def test_a_directory_of_any_size_is_not_read_when_it_is_too_large():
    many = zipped({f"{number:060}": b"" for number in range(40_000)}, zipfile.ZIP_STORED)
    assert of(many) == UNKNOWN


@pytest.mark.parametrize("size", [0, 2**32 - 1, 2**31])
def test_a_directory_that_lies_about_its_size_is_no_fault(size):
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, size, 0, 0)
    assert of(b"PK\x03\x04" + b"\0" * 40 + end) in (ZIP, UNKNOWN)


def test_a_text_is_one_to_its_last_byte():
    assert of(b"a" * 1_000_000 + b"\0") == UNKNOWN


@given(st.binary(min_size=1, max_size=2000))
def test_whatever_comes_there_is_an_answer(content):
    assert "/" in of(content)


@given(st.sampled_from([PDF, PNG, GIF, JPEG, office(DOCX), zipped({"a": b"b" * 500})]), st.data())
def test_whatever_is_damaged_there_is_an_answer(content, data):
    place = data.draw(st.integers(0, len(content) - 1))
    damaged = content[:place] + data.draw(st.binary(max_size=40)) + content[place + data.draw(st.integers(0, 40)) :]
    assert damaged == b"" or "/" in of(damaged)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1))
def test_every_text_is_a_text_unless_it_begins_like_something_else(text):
    beginning = text.lstrip().removeprefix("\ufeff").lstrip()
    if not beginning.startswith(("<", "%", "{", "PK")):
        assert of(text.encode()) == TEXT


def test_csv_is_a_text_that_is_called_so():
    assert refined(TEXT, "a.CSV") == CSV
    assert refined(TEXT, "a.txt") == TEXT
    assert refined("application/pdf", "a.csv") == "application/pdf"
