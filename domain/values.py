"""Values that the features share, and the checks that make them what they claim to be."""

import re
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from domain.kernel import Invalid

Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]
Text = Annotated[str, Meta(max_length=10_000)]
Label = Annotated[str, Meta(max_length=200)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$", description="ISO 4217 code", examples=["USD"])]
Percentage = Annotated[int, Meta(ge=0, le=100)]
ExternalId = Annotated[str, Meta(min_length=1, max_length=200, description="The record's id in another system")]

_LARGEST = Decimal(10) ** 15
_EMAIL = re.compile(r"^[^@\s]+@[^@\s.]+(\.[^@\s.]+)*$")
_PHONE = re.compile(r"^\+?[0-9 ()./-]{3,40}(\s*(x|ext\.?)\s*\d{1,6})?$")


class Money(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An amount of a currency: at most 15 digits before the point and 4 after it."""

    amount: Annotated[Decimal, Meta(examples=["1054.00"])]
    currency: Currency


def check_amount(amount: Decimal, field: str) -> None:
    """Refuses what no price is: NaN, infinity, below zero, too large, or finer than a ten-thousandth."""
    if not amount.is_finite():
        raise Invalid("An amount must be a number.", field=field)
    if amount < 0:
        raise Invalid("An amount must be 0 or more.", field=field)
    if amount >= _LARGEST:
        raise Invalid("An amount must be below 1,000,000,000,000,000.", field=field)
    if int(amount.as_tuple().exponent) < -4:
        raise Invalid("An amount has at most 4 digits after the point.", field=field)


def check_email(address: str, field: str) -> None:
    """Refuses what can't be an e-mail address (RFC 5321 limits of 64 and 254 characters)."""
    if len(address) > 254 or len(address.split("@")[0]) > 64 or not _EMAIL.match(address):
        raise Invalid(f"'{address}' is not an e-mail address.", field=field)


def check_phone(number: str, field: str) -> None:
    """Refuses what can't be dialled."""
    if not _PHONE.match(number):
        raise Invalid(f"'{number}' is not a phone number.", field=field)
