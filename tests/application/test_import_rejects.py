"""The file of rejected rows holds all that is needed to mend them there."""

import csv
from pathlib import Path

import pytest

from application.importing.problems import Problem
from application.importing.report import Report
from tests.application.importing import Office

MAP = 'external_id = "id"\n[fields]\nname = "name"\n'


def rejects(path: Path, header: list[str], *rows: list[str]) -> list[list[str]]:
    report = Report({}, header, ",", path)
    for number, row in enumerate(rows, 2):
        report.rejected(number, row, (Problem(code="x", reason="Why."),))
    report.close()
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_a_row_stands_in_its_columns_with_the_reason_behind(tmp_path):
    written = rejects(tmp_path / "q.csv", ["a", "b"], ["1", "2"], ["1"], [])
    assert written == [["a", "b", "reason"], ["1", "2", "Why."], ["1", "", "Why."], ["", "", "Why."]]


@pytest.mark.parametrize("too_many", [["1", "2", "3"], ["1", "2", "3", "4"]])
def test_a_row_with_too_many_cells_keeps_them_all(tmp_path, too_many):
    _, written = rejects(tmp_path / "q.csv", ["a", "b"], too_many)
    assert written == ["1", "2", "Why.", *too_many[2:]]


def test_a_reason_of_before_is_replaced_unless_it_may_be_another_cell(tmp_path):
    _, told, ragged = rejects(tmp_path / "q.csv", ["a", "reason"], ["1", "Old."], ["1", "2", "Old."])
    assert told == ["1", "Why."]
    assert ragged == ["1", "Why.", "2", "Old."]


def test_a_line_that_is_no_csv_is_kept_as_it_stands_and_the_others_go_in(office: Office, tmp_path):
    good = "".join(f"w{number},Name\n" for number in range(3, 52))
    path = tmp_path / "q.csv"
    report = Report({}, ("id", "name"), ",", path)
    office.run("accounts", MAP, f'id,name\nw2,"open\n{good}', report)
    report.close()

    assert (report.counts["read"], report.counts["rejected"], report.counts["created"]) == (50, 1, 49)
    with path.open(newline="") as file:
        _, rejected = csv.reader(file)
    assert rejected[0] == 'w2,"open'
    assert "Line 2" in rejected[2]
