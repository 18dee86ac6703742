"""CSV files as they come: marks, line ends, encodings, and rows that are broken."""

from pathlib import Path

import pytest

from application.importing.problems import FileUnreadable
from application.importing.reading import CsvFile, Record


def read(path: Path, content: bytes, delimiter: str = ",") -> list[Record]:
    path.write_bytes(content)
    with CsvFile(path, delimiter) as file:
        return list(file.records())


def unreadable(path: Path, content: bytes) -> str:
    with pytest.raises(FileUnreadable) as refused:
        read(path, content)
    return str(refused.value)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "rows.csv"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_byte_order_mark_and_any_line_end_are_understood(path, mark, end):
    path.write_bytes(mark + end.join([b"id,name", "1,Bär".encode(), b'2,"a, b"', b""]))
    with CsvFile(path) as file:
        assert file.header == ["id", "name"]
        assert [record.cells for record in file.records()] == [["1", "Bär"], ["2", "a, b"]]
        assert file.position == file.size


def test_rows_are_numbered_as_in_a_spreadsheet_and_blank_ones_left_out(path):
    records = read(path, b'id,name\n\n1,"two\nlines"\n,\n2,x\n')
    assert [(record.number, record.cells[0]) for record in records] == [(3, "1"), (5, "2")]


def test_another_delimiter_is_the_maps_to_say(path):
    assert read(path, b"id;name\n1;a,b\n", ";")[0].cells == ["1", "a,b"]


def test_a_row_with_too_few_or_too_many_cells_is_said_so(path):
    few, many = read(path, b"a,b,c\n1,2\n1,2,3,4\n")
    assert few.fault == "The row has 2 cells, the header 3."
    assert many.fault == "The row has 4 cells, the header 3."


def test_a_cell_that_is_not_utf8_is_named_and_the_next_row_is_read(path):
    latin, good = read(path, "id,name\n1,Bär\n".encode("latin-1") + "2,Bär\n".encode())
    assert latin.fault == "The cell in column 'name' is not UTF-8 (byte 0xE4)."
    assert good.fault is None


def test_a_broken_quote_costs_its_rows_and_no_more(path):
    broken, good = read(path, b'id,name\n1,"a"b\n2,c\n')
    assert broken.fault is not None
    assert "Line 2" in broken.fault
    assert good.cells == ["2", "c"]


def test_a_quote_that_never_ends_is_named_with_its_lines(path):
    (broken,) = read(path, b'id,name\n1,"a\n2,b\n3,c\n')
    assert broken.fault is not None
    assert "Lines 2 to 4" in broken.fault


def test_a_cell_without_end_does_not_fill_the_memory(path):
    records = read(path, b'id,name\n1,"' + b"x\n" * 200_000)
    assert records[0].fault is not None
    assert "field larger" in records[0].fault


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no header"),
        ("id,name\n".encode("utf-16"), "UTF-16"),
        ("id,größe\n".encode("latin-1"), "header (row 1) is not UTF-8"),
        (b"id,name,id\n", "names a column twice: id"),
    ],
)
def test_a_file_that_can_not_be_read_at_all_says_why(path, content, said):
    assert said in unreadable(path, content)


def test_unnamed_columns_may_come_several_times(path):
    assert read(path, b"id,,\n1,,\n")[0].fault is None


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(FileUnreadable, match="No such file"):
        CsvFile(tmp_path / "nothing.csv")
