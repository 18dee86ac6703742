"""Lines of the log without what opens anything."""

import json
import logging

import pytest

from api.logs import JsonLines
from api.redacting import redacted

TOKEN = "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "secret", "kept"),
    [
        ("connection to postgresql://app:s3cr3t-pw@db:5432/x failed", "s3cr3t-pw", "@db:5432/x failed"),
        ("redis://:s3cr3t-pw@cache/0 is away", "s3cr3t-pw", "@cache/0 is away"),
        (f"Authorization: Bearer {TOKEN}", TOKEN, "Authorization"),
        (f"token {TOKEN} is bad", TOKEN, "is bad"),
        ('{"password": "hunter2hunter2", "email": "a"}', "hunter2hunter2", '"email": "a"'),
        ("password=hunter2hunter2&next=1", "hunter2hunter2", "next=1"),
        ("refresh_token: AZAAAAAAcACA, then", "AZAAAAAAcACA", "then"),
        ("MASTER_KEY=AAECAwQFBgc= set", "AAECAwQFBgc=", "set"),
        ("X-Api-Key: cf_0123456789abcdef", "cf_0123456789abcdef", "X-Api-Key"),
        (f"opened https://crm.example.com/reset-password#token=cfl_{'a1' * 43} twice", "a1a1", "twice"),
        (f"link cfl_{'b2' * 43} and key cfk_{'b2' * 53}", "b2b2", "and key"),
        ("Cookie: clientforge=abcdefgh", "abcdefgh", "Cookie"),
    ],
)
def test_secrets_are_taken_out_and_the_rest_stays(text, secret, kept):
    told = redacted(text)
    assert secret not in told
    assert kept in told


@pytest.mark.parametrize(
    "text", ["request", "10,000 tokens were read", "projection deals of tenant x waits", "https://example.com/a"]
)
def test_what_is_no_secret_stays(text):
    assert redacted(text) == text


def test_a_line_of_the_log_is_redacted_with_its_exception():
    try:
        raise ValueError("no connection to postgresql://app:s3cr3t-pw@db/x")
    except ValueError:
        record = logging.getLogger("x").makeRecord(
            "x", logging.ERROR, __file__, 1, "with %s", ("password=s3cr3t-pw",), __import__("sys").exc_info()
        )
    line = JsonLines().format(record)
    assert "s3cr3t-pw" not in line
    assert json.loads(line)["message"] == "with password=[redacted]"
