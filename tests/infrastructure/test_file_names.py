"""How files are called when they are sent."""

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.file_names import content_disposition, sent_name
from infrastructure.settings import FILE_TYPES

HEADER = re.compile(r"attachment; filename=\"([A-Za-z0-9 ._()+-]+)\"; filename\*=UTF-8''([A-Za-z0-9!#$&+.^_`|~%-]+)")


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.sampled_from(["text/plain", "image/png", "x/y"])
)
def test_whatever_a_file_is_called_its_header_is_one_header_and_tells_it(name, media_type):
    match = HEADER.fullmatch(content_disposition(name, media_type))
    assert match
    assert unquote(match[2], errors="strict") == sent_name(name, media_type)


OFFICE = "application/vnd.openxmlformats-officedocument."


@pytest.mark.parametrize(
    ("name", "media_type", "sent"),
    [
        ("offer.pdf", "application/pdf", "offer.pdf"),
        ("OFFER.PDF", "application/pdf", "OFFER.PDF"),
        ("offer", "application/pdf", "offer.pdf"),
        ("page.html", "text/plain", "page.html.txt"),
        ("run.bat. .", "text/plain", "run.bat. ..txt"),
        ("notes.md", "text/plain", "notes.md"),
        ("list.csv", "text/csv", "list.csv"),
        ("photo.exe", "image/jpeg", "photo.exe.jpg"),
        ("x.pdf", "application/x-nobody-knows", "x.pdf.bin"),
        ("offer.hta", f"{OFFICE}wordprocessingml.document", "offer.hta.docx"),
    ],
)
def test_a_name_ends_as_its_content_is(name, media_type, sent):
    assert sent_name(name, media_type) == sent


@pytest.mark.parametrize("media_type", FILE_TYPES)
def test_each_kind_that_is_allowed_has_an_ending_of_its_own(media_type):
    sent = sent_name("run.exe", media_type)
    assert sent.startswith("run.exe.")
    assert not sent.endswith(".bin")


def test_old_clients_get_a_name_of_plain_letters():
    assert 'filename="Ubersicht _1_.pdf"' in content_disposition('Übersicht "1".pdf', "application/pdf")
    assert 'filename="file.bin"' in content_disposition("報告", "x/y")
