"""What a value may be."""

from decimal import Decimal

import msgspec
import pytest

from domain.accounts.commands import CreateAccount
from domain.currencies import check_currency
from domain.identity.commands import CreateUser
from domain.kernel import Invalid
from domain.pipelines.commands import StageDraft
from domain.tenants.commands import RegisterTenant
from domain.values import check_amount, check_email, check_phone, check_texts, check_time_zone, check_url


def taken(check, value):
    try:
        check(value, "/field")
    except Invalid:
        return False
    return True


def test_a_refusal_names_the_field():
    with pytest.raises(Invalid) as refusal:
        check_email("nobody", "/emails/0/address")
    assert refusal.value.field == "/emails/0/address"
    assert "nobody" not in str(refusal.value)
    assert str(refusal.value) == refusal.value.message


@pytest.mark.parametrize("amount", ["0", "0.0001", "999999999999999.9999", "1E+14", "1054.00"])
def test_amounts(amount):
    assert taken(check_amount, Decimal(amount))


@pytest.mark.parametrize(
    "amount",
    ["-0.01", "-0", "NaN", "sNaN", "Infinity", "-Infinity", "1E+15", "1E+999999", "0E+16", "0.00001", "1E-999999"],
)
def test_no_amounts(amount):
    assert not taken(check_amount, Decimal(amount))


@pytest.mark.parametrize(
    "address", ["a@b", "a@b.c", "a@" + "b" * 252, "ada+crm@mail.example.co.uk", "ünal@exämple.de", "a" * 64 + "@b.c"]
)
def test_email_addresses(address):
    assert taken(check_email, address)


@pytest.mark.parametrize(
    "address",
    ["", "a", "@b.c", "a@", "a@b@c", "a b@c.d", "a@b..c", "a@.b", "a@b.c\n", "a" * 65 + "@b.c", "a@" + "b" * 253],
)
def test_no_email_addresses(address):
    assert not taken(check_email, address)


@pytest.mark.parametrize("number", ["112", "+44 20 7946 0018", "(020) 7946-0018", "555.0100 x12", "555 0100 ext. 7"])
def test_phone_numbers(number):
    assert taken(check_phone, number)


@pytest.mark.parametrize("number", ["", "12", "---", "call me", "123\n", "٣٣٣", "+44+20", "1" * 50])
def test_no_phone_numbers(number):
    assert not taken(check_phone, number)


@pytest.mark.parametrize(
    "url", ["example.com", "https://example.com", "HTTP://example.com:8080/a?b#c", "bücher.example/ada"]
)
def test_web_addresses(url):
    assert taken(check_url, url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://example.com",
        "https://",
        "localhost",
        "a b.c",
        "a.b\n",
        "a..b",
    ],
)
def test_no_web_addresses(url):
    assert not taken(check_url, url)


def test_a_long_text_is_no_web_address_in_no_time():
    assert not taken(check_url, "a." * 900 + "\n")
    assert not taken(check_email, "a@" + "a." * 100 + "@")


def test_time_zones():
    assert taken(check_time_zone, "Europe/Paris")
    assert taken(check_time_zone, "UTC")
    assert not taken(check_time_zone, "Europe")


@pytest.mark.parametrize("text", ["\x00", "a\x1bb", "\x7f", "\ud800"])
def test_texts_hold_no_control_characters(text):
    assert not taken(check_texts, text)


@pytest.mark.parametrize("code", ["USD", "EUR", "JPY", "HRK", None])
def test_currencies(code):
    assert taken(check_currency, code)


@pytest.mark.parametrize("code", ["XYZ", "usd", "US", ""])
def test_what_is_no_currency(code):
    assert not taken(check_currency, code)


@pytest.mark.parametrize("text", ["", "two\r\nlines\tand a tab", "naïve 😀"])
def test_texts(text):
    assert taken(check_texts, text)


@pytest.mark.parametrize(
    ("command", "body"),
    [
        (CreateAccount, {"name": ""}),
        (CreateAccount, {"name": " \t"}),
        (CreateAccount, {"name": "A", "currency": "usd"}),
        (CreateAccount, {"name": "A", "currency": "USD\n"}),
        (CreateAccount, {"name": "A", "employees": 0}),
        (CreateAccount, {"name": "A", "unknown": 1}),
        (CreateAccount, {"name": "A", "address": {"unknown": 1}}),
        (CreateAccount, {"name": "A", "external_id": " "}),
        (RegisterTenant, {"name": "A", "subdomain": "Acme"}),
        (RegisterTenant, {"name": "A", "subdomain": "-acme"}),
        (RegisterTenant, {"name": "A", "subdomain": "acme\n"}),
        (RegisterTenant, {"name": "A", "subdomain": "a" * 64}),
        (RegisterTenant, {"name": "A", "subdomain": "acme", "settings": {"Not A Name": 1}}),
        (CreateUser, {"first_name": "A", "last_name": "B", "language": "english\n"}),
        (CreateUser, {"first_name": "A", "last_name": "B", "password": "secret"}),
        (StageDraft, {"name": "A", "probability": 101}),
        (StageDraft, {"name": "A", "probability": 1, "colour": "#12345\n"}),
    ],
)
def test_bodies_that_are_refused_before_any_decision(command, body):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(body), type=command)
