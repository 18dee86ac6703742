"""Texts of a CSV file as the values that they mean. What can't be read raises NotReadable, which says why."""

import re
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

_EXACT = Context(prec=120)
_LONGEST_NUMBER = 40
_FIRST_DAY = datetime(1900, 1, 1, tzinfo=UTC)
_TRUE = frozenset({"true", "yes", "y", "1", "x", "on"})
_FALSE = frozenset({"false", "no", "n", "0", "off"})


class NotReadable(ValueError):
    """A text isn't what its field needs."""


class NumberFormat:
    """How a file writes numbers: `1,054.00` or `1.054,00`."""

    def __init__(self, decimal: str, thousands: str) -> None:
        self._decimal = decimal
        self._thousands = thousands
        whole = "[0-9]+"
        if thousands:
            whole = f"(?:[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+|[0-9]+)"
        self._pattern = re.compile(f"[+-]?{whole}(?:{re.escape(decimal)}[0-9]+)?")

    def read(self, text: str, factor: Decimal = Decimal(1)) -> Decimal:
        """The number times the factor, exact, without needless zeros."""
        if len(text) > _LONGEST_NUMBER or not self._pattern.fullmatch(text):
            raise NotReadable(f"'{shortened(text)}' is not a number such as {self._example()}.")
        plain = text.replace(self._thousands, "") if self._thousands else text
        return _plain(_EXACT.multiply(Decimal(plain.replace(self._decimal, ".")), factor))

    def _example(self) -> str:
        return f"1{self._thousands}054{self._decimal}50"


def whole(number: Decimal) -> int:
    """A number without a fraction."""
    if number != number.to_integral_value():
        raise NotReadable(f"{number} is not a whole number.")
    return int(number)


def flag(text: str) -> bool:
    """Yes or no."""
    folded = text.casefold()
    if folded in _TRUE or folded in _FALSE:
        return folded in _TRUE
    raise NotReadable(f"'{shortened(text)}' is neither yes nor no.")


@lru_cache(maxsize=10_000)
def moment(text: str, form: str, zone: ZoneInfo) -> datetime:
    """The instant of a date: 00:00 of that day in the zone, unless its format has a time of its own."""
    try:
        read = datetime.strptime(text, form)  # noqa: DTZ007
        instant = (read if read.tzinfo else read.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotReadable(f"'{shortened(text)}' is not a date of the form {form}.") from None
    if instant < _FIRST_DAY:
        raise NotReadable(f"'{shortened(text)}' lies before 1900.")
    return instant


def day(text: str, form: str) -> date:
    """The day that a date names."""
    return moment(text, form, ZoneInfo("UTC")).date()


def split_name(text: str) -> tuple[str, str]:
    """First and last names: `Mei-Mei Johns`, or `Johns, Mei-Mei`."""
    if "," in text:
        last, _, first = text.partition(",")
    else:
        first, _, last = text.rpartition(" ")
    return first.strip(), last.strip()


def _plain(number: Decimal) -> Decimal:
    normal = _EXACT.normalize(number)
    if int(normal.as_tuple().exponent) > 0:
        return _EXACT.quantize(normal, Decimal(1))
    return normal.copy_abs() if normal.is_zero() else normal


def shortened(text: str) -> str:
    """A text as a message can quote it."""
    return text if len(text) <= 60 else f"{text[:60]}…"
