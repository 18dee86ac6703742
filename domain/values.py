"""Values that the features share, and the checks that make them what they claim to be.

Patterns end in `$(?!\\n)`, because `$` alone also matches before a final line feed. The bounds of a value that
events store may be widened, never narrowed.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from domain.kernel import Invalid, given

Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]
Text = Annotated[str, Meta(max_length=10_000)]
Label = Annotated[str, Meta(max_length=200)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)", description="ISO 4217 code", examples=["USD"])]
Percentage = Annotated[int, Meta(ge=0, le=100)]
ExternalId = Annotated[
    str, Meta(min_length=1, max_length=200, pattern=r"\S", description="The record's id in another system")
]
Email = Annotated[str, Meta(max_length=254, examples=["ada@example.com"])]
Phone = Annotated[str, Meta(max_length=50, examples=["+44 20 7946 0018"])]
Url = Annotated[str, Meta(max_length=2_000, examples=["https://example.com"])]
TimeZone = Annotated[str, Meta(max_length=100, description="IANA time zone", examples=["Europe/Paris"])]

_LARGEST = Decimal(10) ** 15
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)*")
_PHONE = re.compile(r"\+?[0-9 ()./-]{3,40}( ?(x|ext\.?) ?[0-9]{1,6})?")
_URL = re.compile(r"(https?://)?[^\s/?#@:.]+(\.[^\s/?#@:.]+)+(:[0-9]{1,5})?([/?#]\S*)?", re.IGNORECASE)
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class Address(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where something is, as it is written on an envelope."""

    street: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None


class AddressDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The parts of an address that a command sets; the others stay, and `None` empties one."""

    street: Label | UnsetType | None = UNSET
    city: Label | UnsetType | None = UNSET
    state: Label | UnsetType | None = UNSET
    postal_code: Label | UnsetType | None = UNSET
    country: Label | UnsetType | None = UNSET

    def upon(self, address: Address | None) -> Address | None:
        """The address that this makes of an earlier one; None where nothing is left in it."""
        drafted = structs.replace(address or Address(), **given(self))
        return None if drafted == Address() else drafted


def check_amount(amount: Decimal, field: str) -> None:
    """Refuses what no price is: NaN, infinity, below zero, too large, or finer than a ten-thousandth."""
    if not amount.is_finite():
        raise Invalid("An amount must be a number.", field=field)
    if amount.is_signed():
        raise Invalid("An amount must be 0 or more.", field=field)
    exponent = int(amount.as_tuple().exponent)
    if amount >= _LARGEST or exponent > 15:
        raise Invalid("An amount must be below 1,000,000,000,000,000.", field=field)
    if exponent < -4:
        raise Invalid("An amount has at most 4 digits after the point.", field=field)


def check_email(address: str, field: str) -> None:
    """Refuses what can't be an e-mail address (RFC 5321 limits of 64 and 254 characters)."""
    if len(address) > 254 or address.find("@") > 64 or not _EMAIL.fullmatch(address):
        raise Invalid("This is not an e-mail address.", field=field)


def check_phone(number: str, field: str) -> None:
    """Refuses what can't be dialled."""
    if not _PHONE.fullmatch(number) or sum(each.isdigit() for each in number) < 3:
        raise Invalid("This is not a phone number.", field=field)


def check_url(url: str, field: str) -> None:
    """Refuses what is no address of the web: of HTTP, or a bare host with or without a path."""
    if not _URL.fullmatch(url):
        raise Invalid("This is not a web address.", field=field)


def check_time_zone(name: str, field: str) -> None:
    """Refuses what is no IANA time zone."""
    if name not in _time_zones():
        raise Invalid("This is not an IANA time zone, such as Europe/Paris.", field=field)


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def check_texts(value: object, field: str = "") -> None:
    """Refuses control characters and lone surrogates in any text of a command: not every store takes them."""
    match value:
        case str():
            if _NO_TEXT.search(value):
                raise Invalid("A text can't hold control characters.", field=field)
        case Struct():
            for name in value.__struct_fields__:
                check_texts(getattr(value, name), f"{field}/{name}")
        case Mapping():
            for name, each in value.items():
                check_texts(name, field)
                check_texts(each, f"{field}/{name}")
        case tuple():
            for number, each in enumerate(value):
                check_texts(each, f"{field}/{number}")
        case _:
            return
