"""What every kind of record can do over HTTP."""

import pytest

from api import accounts, contacts, deals, pipelines, products, users
from tests.api.stand import API

KINDS = [each.RECORDS for each in (accounts, contacts, products, pipelines, deals, users)]


def body_of(kind, **changes):
    """A body that creates a record, with an e-mail address that nobody has yet."""
    body = {**kind.example, **changes}
    if kind.path == "contacts":
        body["emails"] = [{"address": f"{NUMBERS.pop()}@example.com"}]
    if kind.path == "users":
        body["email"] = f"{NUMBERS.pop()}@example.com"
    return body


NUMBERS = [f"somebody-{number}" for number in range(1000)]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.path)


@each_kind
def test_a_created_record_is_read_back_at_once(acme, kind):
    answer = acme.admin.post(f"/{kind.path}", body_of(kind))
    outcome = answer.json()
    assert answer.status_code == 201
    assert set(outcome) == {"id", "version", "position"}
    assert answer.headers["location"] == f"{API}/{kind.path}/{outcome['id']}"
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["clientforge-position"] == str(outcome["position"])
    found = acme.admin.get(answer.headers["location"])
    assert found.status_code == 200, found.text
    assert found.headers["etag"] == '"1"'
    assert "clientforge-stale" not in found.headers
    assert found.json()["id"] == outcome["id"]
    assert found.json()["version"] == 1
