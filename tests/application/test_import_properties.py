"""Whatever a file holds: each of its rows goes in or is rejected with a reason, and coming again changes nothing."""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from application.importing.catalogue import KINDS
from application.importing.kinds import Field, Form
from application.recording import Recorded
from domain.kernel import Claim
from domain.permissions import Role
from infrastructure.rehearsal import Rehearsal
from tests.application.importing import Office

_STAGES = """
[pipeline]
external_id = "p"
name = "Pipeline"
opened_in = "Open"
stages = [
    { name = "New", probability = 1 }, { name = "Open", probability = 9 },
    { name = "Won", kind = "won", probability = 100 }, { name = "Lost", kind = "lost", probability = 0 },
]
"""
_ODD = ["0", "-1", "1e3", "2999-01-01", "perhaps", "\x00", "a\nb", "x" * 300, "\N{GRINNING FACE}"]
_BY_FORM = {
    Form.TEXT: ("", "Ada", "GTX Pro"),
    Form.WHOLE: ("", "1", "25"),
    Form.NUMBER: ("", "1", "10.5"),
    Form.FLAG: ("", "yes", "no"),
    Form.DAY: ("", "2017-05-05"),
    Form.MOMENT: ("", "2017-01-01", "2017-02-01"),
    Form.REFERENCE: ("", "", "a", "b"),
}
_BY_NAME = {
    "email": ("", "a@example.com", "b@example.com", "c@example.com"),
    "phone": ("+44 20 7946 0018", ""),
    "mobile": ("", "112 112"),
    "stage": ("", "New", "Open", "Won", "Lost"),
    "currency": ("USD", "EUR"),
    "role": ("", "rep", "manager"),
    "status": ("", "contacted"),
    "lifecycle": ("", "customer"),
    "time_zone": ("", "Europe/Paris"),
    "language": ("", "en"),
    "size": ("",),
    "website": ("", "example.com"),
    **dict.fromkeys(("name", "first_name", "last_name"), ("Ada", "Byron")),
}
KIND = st.sampled_from(sorted(KINDS))


class Nothing:
    """A store that holds nothing."""

    def streams(self, tenant: UUID, streams: Collection[str], **_: Any) -> dict[str, list[Recorded]]:
        return {}

    def holders(self, tenant: UUID, claims: Collection[Claim]) -> dict[Claim, str]:
        return {}

    def active_users(self, tenant: UUID) -> dict[UUID, Role]:
        return {}

    def sources(self, tenant: UUID, streams: Collection[str]) -> dict[str, Mapping[str, str]]:
        return {}

    def keyed_hash(self, tenant: UUID, values: Sequence[str]) -> list[str]:
        return [sha256(value.encode()).hexdigest() for value in values]


def map_of(kind: str, *, making: bool) -> str:
    """A map that fills each field of a kind from a column of its name."""
    made = {"user", "account", "product", "contact"} if making else set()
    lines = ['external_id = "id"', 'currency = "USD"' if making else "", "[fields]"]
    for name, field in KINDS[kind].fields.items():
        creates = field.form is Form.REFERENCE and field.entity in made
        lines.append(f'{name} = {{ column = "{name}", create_missing = {"true" if creates else "false"} }}')
    return "\n".join(lines) + (_STAGES if kind == "deals" else "")


def cells(name: str, field: Field) -> st.SearchStrategy[str]:
    """What may stand in a column: mostly what its field takes, now and then anything."""
    plausible = _BY_NAME.get(name) or _BY_FORM[field.form]
    return st.sampled_from([*plausible * (600 // len(plausible)), *_ODD])


@st.composite
def files(draw: st.DrawFn, changes: int = 0) -> tuple[str, str, list[bytes]]:
    """A kind of records, a map, and a file with a few rows, some of them odd; and what it became later."""
    kind = draw(KIND)
    fields = KINDS[kind].fields
    row = st.tuples(st.sampled_from("aabcde"), *(cells(name, field) for name, field in fields.items()))
    versions = [draw(st.lists(row, max_size=5)) for _ in range(1 + changes)]
    making = draw(st.sampled_from([True, True, False]))
    return kind, map_of(kind, making=making), [written(["id", *fields], each) for each in versions]


def written(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """The rows as a file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    return text.getvalue().encode()


@settings(max_examples=200)
@given(files(changes=1), st.integers(1, 4))
def test_each_row_goes_in_or_is_rejected_and_comes_again_without_an_event(file, batch):
    kind, map, versions = file
    with Rehearsal(Nothing()) as store:  # type: ignore[arg-type]
        office = Office(store, uuid7())
        for content in versions:
            first = office.take(kind, map, content, batch=batch)
            again = office.take(kind, map, content, batch=batch)
            assert again.created + again.changed <= len(first.problems), "only what was rejected can go in now"
            assert again.problems.keys() <= first.problems.keys()


@settings(max_examples=150)
@given(KIND, st.binary(max_size=200))
def test_any_bytes_behind_the_header_are_rows_or_rejected(kind, content):
    columns = ["id", *KINDS[kind].fields]
    with Rehearsal(Nothing()) as store:  # type: ignore[arg-type]
        Office(store, uuid7()).take(kind, map_of(kind, making=True), ",".join(columns).encode() + b"\n" + content)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(files(changes=1))
def test_what_is_decided_can_be_stored(store, file):
    kind, map, versions = file
    office = Office(store, uuid7())
    for content in versions:
        told = office.take(kind, map, content)
        events = len(office.events())
        office.take(kind, map, content)
        assert told.problems or len(office.events()) == events
