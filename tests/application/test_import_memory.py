"""An import needs the same memory for any number of rows."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from application.importing.report import Report
from application.ports import Append, Appended
from tests.application.importing import Office
from tests.application.test_import_properties import Nothing

MAP = 'external_id = "id"\n[fields]\nname = "id"\nparent = "parent"\nemployees = "staff"\n'


class Discarding(Nothing):
    """A store that forgets what is appended."""

    def append(self, tenant: UUID, append: Append) -> Appended:
        return Appended(position=0, versions={})


def good(number: int) -> str:
    return f"account {number},,{number + 1}"


def unreadable(number: int) -> str:
    return f"account {number},,many"


def waiting(number: int) -> str:
    return f"account {number},account {number + 1},1"


@pytest.mark.parametrize("row", [good, unreadable, waiting])
def test_memory_does_not_grow_with_the_file(row, tmp_path):
    few, many = peak(row, 800, tmp_path / "few.csv"), peak(row, 3_200, tmp_path / "many.csv")
    assert many < few * 1.5, f"{few:,} bytes for 800 rows, {many:,} for 3,200"


def peak(row: Callable[[int], str], rows: int, rejects: Path) -> int:
    """The most bytes in use while so many rows are imported."""
    content = ("id,parent,staff\n" + "".join(f"{row(number)}\n" for number in range(rows))).encode()
    office = Office(Discarding(), uuid7())  # type: ignore[arg-type]
    tracemalloc.start()
    report = Report({}, ("id", "parent", "staff"), ",", rejects)
    office.run("accounts", MAP, content, report, batch=100)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.counts["read"] == rows
    report.close()
    return most
