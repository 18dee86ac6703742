"""Which backups are kept: some of the newest, and the last of some days, weeks and months."""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime

from msgspec import Struct


class Keep(Struct, frozen=True, kw_only=True):
    """How many are kept: of the newest, and of days, weeks and months (UTC) that have one, the last one of each."""

    newest: int
    daily: int = 0
    weekly: int = 0
    monthly: int = 0

    def of(self, moments: Iterable[datetime]) -> set[datetime]:
        """Those that are kept. The newest always is."""
        newest_first = sorted(moments, reverse=True)
        return {
            *newest_first[: max(self.newest, 1)],
            *_last_of_each(newest_first, self.daily, lambda moment: moment.date()),
            *_last_of_each(newest_first, self.weekly, lambda moment: moment.isocalendar()[:2]),
            *_last_of_each(newest_first, self.monthly, lambda moment: (moment.year, moment.month)),
        }


def _last_of_each(
    newest_first: Collection[datetime], wanted: int, period: Callable[[datetime], object]
) -> list[datetime]:
    last: dict[object, datetime] = {}
    for moment in newest_first:
        last.setdefault(period(moment), moment)
    return list(last.values())[:wanted]
