"""What can be wrong with a mapping file, a CSV file or one of its rows."""

from collections.abc import Iterable

from msgspec import Struct


class MapRefused(Exception):
    """The mapping file doesn't say, or doesn't fit the CSV file. The message lists all that is wrong."""


class FileUnreadable(Exception):
    """The CSV file as a whole can't be read: nothing of it was imported."""


class Problem(Struct, frozen=True, kw_only=True):
    """Why a row is rejected. `field` is the record's, `column` the file's, where one is to blame."""

    code: str
    reason: str
    field: str | None = None
    column: str | None = None


class Note(Struct, frozen=True, kw_only=True):
    """What was done otherwise than the row says, although the row went in."""

    field: str
    reason: str
    column: str | None = None


class Rejected(Exception):
    """A row can't be imported."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(each.reason for each in self.problems))


def rejected(code: str, reason: str, field: str | None = None) -> Rejected:
    """The rejection for a single reason."""
    return Rejected((Problem(code=code, reason=reason, field=field),))
