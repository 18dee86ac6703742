"""Whatever a CSV file holds: each of its rows is read or told as broken, none is lost, and nothing else goes wrong."""

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given, settings
from hypothesis import strategies as st

from application.importing.problems import FileUnreadable
from application.importing.reading import CsvFile, Record

thoroughly = settings(max_examples=500)
CELL = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
MISCHIEF = st.text(st.sampled_from('",;\r\n ax\x00\ufeff\u2028\x85\x0b\x0c'), max_size=60)
COLUMNS = ["one", "two", "three"]
GOOD = [[f"good {number}", "row", "indeed"] for number in range(3)]


def read(content: bytes) -> tuple[list[str], list[Record]]:
    """The header and the rows of a file. Raises FileUnreadable."""
    with TemporaryDirectory() as place:
        path = Path(place) / "file.csv"
        path.write_bytes(content)
        with CsvFile(path) as file:
            return file.header, list(file.records())


def written(*rows: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


@given(st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=6))
@thoroughly
def test_what_was_written_is_read(rows):
    header, records = read(written(COLUMNS, *rows))
    filled = [(number, cells) for number, cells in enumerate(rows, start=2) if any(map(str.strip, cells))]
    assert header == COLUMNS
    assert [(each.number, each.cells, each.fault) for each in records] == [(*each, None) for each in filled]


@given(MISCHIEF)
@example('"')
@example('x,"')
@example('a,b,"c\n')
@thoroughly
def test_whatever_stands_before_them_good_rows_are_read(mischief):
    _, records = read(written(COLUMNS) + mischief.encode() + b"\n" + written(*GOOD))
    assert [(each.cells, each.fault) for each in records[-3:]] == [(cells, None) for cells in GOOD]
    numbers = [each.number for each in records]
    assert numbers == sorted(set(numbers))


@given(st.text(st.sampled_from(",;\r\n ax\x00"), max_size=60))
@thoroughly
def test_without_quotes_each_line_that_says_something_is_a_row(text):
    _, records = read(written(COLUMNS) + text.encode())
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert [each.number for each in records] == [
        number for number, line in enumerate(lines, start=2) if line.replace(",", "").strip()
    ]
    assert all(each.fault or len(each.cells) == 3 for each in records)


@given(st.binary(max_size=200) | MISCHIEF.map(str.encode))
@thoroughly
def test_any_bytes_are_a_file_or_said_to_be_none(content):
    try:
        header, records = read(content)
    except FileUnreadable:
        return
    assert all(each.fault or len(each.cells) == len(header) for each in records)
