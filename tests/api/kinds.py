"""The kinds of records, and bodies that create them."""

from itertools import count
from typing import Any

import pytest

from api import accounts, contacts, deals, pipelines, products, users
from api.records import Records

KINDS = [each.RECORDS for each in (accounts, contacts, products, pipelines, deals, users)]

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.path)

_numbers = count(1)


def body_of(kind: Records, **changes: Any) -> dict[str, Any]:
    """A body that creates a record, with an e-mail address that nobody has yet."""
    address = f"somebody-{next(_numbers)}@example.com"
    own: dict[str, dict[str, Any]] = {"contacts": {"emails": [{"address": address}]}, "users": {"email": address}}
    return {**kind.example, **own.get(kind.path, {}), **changes}
