"""Bodies and query strings: strict, and with sentences that say what would be right."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import pytest
from msgspec import UNSET, Meta, Struct, UnsetType

from api.decoding import decoded, parsed
from api.refusals import InvalidRequest, MalformedJson


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Part(Struct, forbid_unknown_fields=True):
    number: int
    weight: Decimal | None = None


class Thing(Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=5)]
    count: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    price: Decimal = Decimal(0)
    colour: Colour = Colour.RED
    parts: tuple[Part, ...] = ()
    codes: Mapping[Annotated[str, Meta(pattern="^[A-Z]$", description="a letter")], int] = {}
    owner: UUID | None = None


class Asked(Struct, forbid_unknown_fields=True, rename={"since": "from"}):
    since: date | None = None
    archived: bool | None = False
    colours: tuple[Colour, ...] = ()
    text: str | None = None
    limit: int = 5


def faults_of(raw: str) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as refused:
        decoded(Thing, raw.encode())
    return {each.pointer: each.detail for each in refused.value.faults}


def test_amounts_do_not_pass_through_floats():
    assert decoded(Thing, b'{"name": "a", "price": 0.1000000000000000055511151231257827}').price == Decimal(
        "0.1000000000000000055511151231257827"
    )


@pytest.mark.parametrize(
    ("raw", "pointer", "detail"),
    [
        ("[]", "", "Give an object."),
        ("null", "", "Give an object."),
        ("{}", "/name", "This field is required."),
        ('{"name": ""}', "/name", "Give at least one character."),
        ('{"name": "abcdef"}', "/name", "Give at most 5 characters."),
        ('{"name": null}', "/name", "Give a text."),
        ('{"name": "a", "count": "1"}', "/count", "Give a whole number."),
        ('{"name": "a", "count": -1}', "/count", "Give 0 or more."),
        ('{"name": "a", "count": null}', "/count", "Give a whole number."),
        ('{"name": "a", "price": "x"}', "/price", 'Give a decimal number such as "1054.00".'),
        ('{"name": "a", "colour": "green"}', "/colour", "Give one of: red, blue."),
        ('{"name": "a", "owner": "x"}', "/owner", "Give a UUID."),
        ('{"name": "a", "parts": {}}', "/parts", "Give a list."),
        ('{"name": "a", "parts": [{"number": 1}, {}]}', "/parts/1/number", "This field is required."),
        ('{"name": "a", "parts": [{"number": 1, "weight": []}]}', "/parts/0/weight", None),
        ('{"name": "a", "codes": {"ab": 1}}', "/codes/ab", "Give a letter."),
        ('{"name": "a", "codes": {"A": "1"}}', "/codes/A", "Give a whole number."),
        ('{"name": "a", "x/y~": 1}', "/x~1y~0", None),
    ],
)
def test_a_bad_field_is_named_with_what_is_right(raw, pointer, detail):
    found = faults_of(raw)
    assert found.keys() == {pointer}
    assert detail is None or found[pointer] == detail


def test_all_bad_fields_are_named_but_not_endlessly_many():
    assert faults_of('{"name": 1, "price": "x", "parts": [5, {"number": 1}, {}]}').keys() == {
        *("/name", "/price", "/parts/0", "/parts/2/number"),
    }
    assert len(faults_of(f'{{"name": "a", "parts": [{",".join("5" * 500)}]}}')) == 50


def test_no_body_is_an_empty_object():
    assert decoded(Asked, b"") == Asked()


def test_a_text_that_is_no_json_is_malformed():
    with pytest.raises(MalformedJson):
        decoded(Thing, b"{")


def test_parameters_become_what_they_stand_for():
    given = [("from", "2017-06-30"), ("archived", "true"), ("colours", "red,blue"), ("text", "null"), ("limit", "7")]
    asked = Asked(since=date(2017, 6, 30), archived=True, colours=(Colour.RED, Colour.BLUE), text="null", limit=7)
    assert parsed(Asked, given) == asked
    assert parsed(Asked, [("archived", "any")]).archived is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("since", "2017-06-30"),
        ("from", "today"),
        ("from", "null"),
        ("from", "any"),
        ("archived", "perhaps"),
        ("colours", "red,green"),
        ("limit", "5.5"),
        ("text", "a\0"),
    ],
)
def test_a_bad_parameter_is_named(name, text):
    with pytest.raises(InvalidRequest) as refused:
        parsed(Asked, [(name, text)])
    assert [each.pointer for each in refused.value.faults] == [f"/{name}"]


def test_a_parameter_is_given_once():
    with pytest.raises(InvalidRequest):
        parsed(Asked, [("limit", "5"), ("limit", "6")])
