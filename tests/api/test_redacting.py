"""Lines of the log without what opens anything."""

import itertools
import json
import logging
import time
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from api.logs import JsonLines
from api.redacting import redacted
from infrastructure.api_keys import KeyToken
from infrastructure.tokens import RefreshToken
from tests.fixtures import MASTER_KEY

TOKEN = "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxIn0.c2lnbmF0dXJl"

REFRESH = RefreshToken.new(uuid7(), uuid7()).text
KEY = KeyToken.new(uuid7(), uuid7()).text


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
        ('{"old_password": "correct horse battery staple", "email": "a"}', "horse battery staple", '"email": "a"'),
        ('{"password": "a \\" quote and more", "email": "a"}', "quote and more", '"email": "a"'),
        ('{"password": "it never ends, and is', "it never ends", "password"),
        ("{'new_password': 'correct horse battery staple', 'a': 1}", "battery staple", "'a': 1"),
        (r'"{\"password\": \"correct horse\", \"a\": 1}"', "horse", r"\"a\": 1"),
        ("password=correct horse battery staple, next", "horse battery staple", "next"),
        ("password: correct horse battery staple", "correct", "password"),
        ('{"recovery_codes": ["abcd-efgh", "ijkl-mnop"], "a": 1}', "ijkl", '"a": 1'),
        (f"who sent {KEY} twice", KEY, "twice"),
        (f"unknown: {REFRESH}", REFRESH, "unknown"),
        (f"wrapped by {MASTER_KEY} and", MASTER_KEY, "and"),
        ("redis://:s3/cr3t@pw@cache/0 is away", "cr3t", "@cache/0 is away"),
        ("Cookie: theme=dark; clientforge=abcdefgh", "abcdefgh", "Cookie"),
        ("Cookie: clientforge=abcdefgh", "abcdefgh", "Cookie"),
    ],
    ids=itertools.count(1),
)
def test_secrets_are_taken_out_and_the_rest_stays(text, secret, kept):
    told = redacted(text)
    assert secret not in told
    assert kept in told


@pytest.mark.parametrize(
    "text",
    [
        "request",
        "10,000 tokens were read",
        "projection deals of tenant x waits",
        "https://example.com/a",
        f"stream contact-{UUID(int=7)} at {'0a' * 32}",
        "a password was set for a user",
    ],
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


@pytest.mark.parametrize(
    "piece", ["password", "a", "a.", "a://b:", "password=", 'token="', "eyJa.", "cookie ", "A-", "[("]
)
def test_no_line_keeps_the_log_busy(piece):
    started = time.process_time()
    redacted(piece * (100_000 // len(piece)))
    assert time.process_time() - started < 5
