"""CSV files as they come: marks, line ends, encodings, and rows that are broken."""

import tracemalloc
from pathlib import Path

import pytest

from application.importing.problems import FileUnreadable
from application.importing.reading import MOST_CHARACTERS, MOST_LINES, CsvFile, Record


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


def test_a_broken_quote_costs_its_line_and_no_more(path):
    broken, good = read(path, b'id,name\n1,"a"b\n2,c\n')
    assert broken.fault is not None
    assert "Line 2" in broken.fault
    assert broken.cells == ['1,"a"b']
    assert good.cells == ["2", "c"]


@pytest.mark.parametrize("rows", [3, 50, 30_000])
def test_a_quote_that_never_ends_costs_its_line_and_no_more(path, rows):
    good = "".join(f"{number},open,x\n" for number in range(3, rows + 3))
    broken, *others = read(path, f'id,name,x\n1,"open,x\n{good}'.encode())
    assert broken.fault is not None
    assert "Line 2 can't be read as CSV: a quote in it is not closed" in broken.fault
    assert broken.cells == ['1,"open,x']
    assert [each.number for each in others] == list(range(3, rows + 3))
    assert all(each.fault is None and each.cells[0] == str(each.number) for each in others)


def test_a_quote_that_another_row_seems_to_end_costs_its_line_and_no_more(path):
    broken, two, three, four = read(path, b'id,name,x\n1,"open,x\n2,two,x\n3,"a, b",x\n4,5\'11",x\n')
    assert broken.cells == ['1,"open,x']
    assert (two.cells, three.cells) == (["2", "two", "x"], ["3", "a, b", "x"])
    assert four.cells == ["4", "5'11\"", "x"]


def test_a_quote_whose_end_leaves_a_ragged_row_swallows_no_rows(path):
    broken, two, three = read(path, b'id,name,x\n1,"open,x\n2,two,x\n3,inch"\n')
    assert broken.cells == ['1,"open,x']
    assert (two.fault, two.cells) == (None, ["2", "two", "x"])
    assert three.fault == "The row has 2 cells, the header 3."


def test_quoted_lines_are_one_cell_up_to_a_bound(path):
    lines = "line, of text\n" * (MOST_LINES - 1)
    long, good = read(path, f'id,name\n1,"{lines}"\n2,c\n'.encode())
    assert (long.fault, long.cells) == (None, ["1", lines])
    assert good.cells == ["2", "c"]


def test_a_cell_without_end_does_not_fill_the_memory(path):
    path.write_bytes(b'id,name\n1,"' + b"x\n" * 400_000 + b"y" * 4_000_000 + b"\n2,c\n")
    tracemalloc.start()
    with CsvFile(path) as file:
        for last in file.records():
            assert last.fault is not None or last.cells == ["2", "c"]
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert last.cells == ["2", "c"]
    assert most < 12 * MOST_CHARACTERS


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
