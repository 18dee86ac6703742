"""How the texts of a file become values."""

from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.importing.columns import Template
from application.importing.texts import NotReadable, NumberFormat, day, flag, moment, split_name, whole

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("form", "text", "number"),
    [
        ((".", ""), "1054", "1054"),
        ((".", ","), "1,054.50", "1054.5"),
        ((".", ","), "1054.50", "1054.5"),
        ((",", "."), "1.054,50", "1054.5"),
        ((",", " "), "1 054 000", "1054000"),
        ((".", ""), "-0.0", "0"),
        ((".", ""), "+3", "3"),
    ],
)
def test_numbers_are_read_as_the_file_writes_them(form, text, number):
    assert str(NumberFormat(*form).read(text)) == number


@pytest.mark.parametrize("text", ["", "1,054", "1.2.3", "1e5", "NaN", "Infinity", "١٢", "1_000", "12 ", "9" * 41])
def test_what_is_no_number_is_said_so(text):
    with pytest.raises(NotReadable, match="is not a number such as"):
        NumberFormat(".", "").read(text)


def test_thousands_stand_in_groups_of_three():
    with pytest.raises(NotReadable):
        NumberFormat(".", ",").read("1,0")


def test_a_factor_is_exact():
    assert NumberFormat(".", "").read("1100.04", Decimal(1_000_000)) == Decimal(1100040000)
    assert str(NumberFormat(".", "").read("5", Decimal("1E+9"))) == "5000000000"


def test_a_whole_number_has_no_fraction():
    assert whole(Decimal("12.0")) == 12
    with pytest.raises(NotReadable):
        whole(Decimal("12.5"))


def test_a_date_is_midnight_in_the_zone():
    assert moment("2017-07-01", "%Y-%m-%d", BERLIN) == datetime(2017, 6, 30, 22, tzinfo=UTC)
    assert moment("01.07.2017", "%d.%m.%Y", ZoneInfo("UTC")) == datetime(2017, 7, 1, tzinfo=UTC)
    assert day("2017-07-01", "%Y-%m-%d") == date(2017, 7, 1)


def test_a_format_with_a_time_or_an_offset_says_the_instant():
    assert moment("2017-07-01 12:30", "%Y-%m-%d %H:%M", BERLIN) == datetime(2017, 7, 1, 10, 30, tzinfo=UTC)
    assert moment("2017-07-01+0500", "%Y-%m-%d%z", BERLIN) == datetime(2017, 6, 30, 19, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2017-02-29", "yesterday", "0001-01-01", "1899-12-31", "9999-99-99", "2017-07-01x"])
def test_what_is_no_date_or_before_1900_is_said_so(text):
    with pytest.raises(NotReadable):
        moment(text, "%Y-%m-%d", BERLIN)


def test_yes_and_no_are_read_in_several_ways():
    assert [flag(text) for text in ("Yes", "TRUE", "1", "no", "False", "0")] == [True] * 3 + [False] * 3
    with pytest.raises(NotReadable):
        flag("perhaps")


def test_a_whole_name_is_split_at_its_last_space_or_its_comma():
    assert split_name("Mei-Mei Johns") == ("Mei-Mei", "Johns")
    assert split_name("Ada King Lovelace") == ("Ada King", "Lovelace")
    assert split_name("Lovelace, Ada King") == ("Ada King", "Lovelace")
    assert split_name("Madonna") == ("", "Madonna")


def test_a_template_is_empty_where_one_of_its_columns_is():
    template = Template("{product} for {account}")
    assert template.columns == ("product", "account")
    assert template.fill({"product": "GTX", "account": "Acme"}) == "GTX for Acme"
    assert template.fill({"product": "GTX", "account": ""}) == ""


def test_doubled_braces_are_braces():
    assert Template("{{{a}}} {}").fill({"a": "x"}) == "{x} {}"


@given(st.text(max_size=60))
def test_any_text_is_a_value_or_said_not_to_be_one(text):
    for read in (NumberFormat(".", ",").read, flag, lambda each: moment(each, "%Y-%m-%d", BERLIN)):
        with suppress(NotReadable):
            read(text)
