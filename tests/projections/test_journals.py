"""Journals make no state: however long one is, projections read no more of it than what is new."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from application.recording import Metadata, Recorded
from domain.security.events import LoggedIn
from projections.audit.trail import audit_documents
from projections.changes import folded
from projections.replaying import replay
from tests.domain.specification import id_of


def logged_in(version: int) -> Recorded:
    return Recorded(
        tenant=id_of(1),
        position=version,
        stream=f"access-{id_of(2)}",
        version=version,
        event=LoggedIn(session=id_of(3)),
        metadata=Metadata(actor=f"user-{id_of(2)}", correlation=id_of(4)),
        occurred_at=datetime(2017, 3, 1, tzinfo=UTC),
        recorded_at=datetime(2017, 3, 1, tzinfo=UTC),
    )


def test_the_past_of_a_journal_is_not_read_to_project_what_is_new():
    asked: list[Any] = []

    def prior(streams: Any, until: int) -> dict[str, list[Recorded]]:
        asked.append(streams)
        return {}

    batch = folded(id_of(1), 999, [logged_in(1000), logged_in(1001)], prior)
    assert asked == []
    [first, second] = audit_documents(batch)
    assert (
        (first.before, first.after, first.changed) == (second.before, second.after, second.changed) == (None, None, ())
    )
    assert first.event == {"session": str(id_of(3))}


def test_a_journal_is_replayed_without_reading_it_twice():
    class Log:
        def log(self, tenant: UUID, *, after: int, limit: int, sealed: bool) -> list[Recorded]:
            return [logged_in(1000)] if after < 1000 else []

        def streams(self, tenant: UUID, streams: set[str], **_: Any) -> dict[str, list[Recorded]]:
            assert not streams
            return {}

    log: Any = Log()
    assert [each.version for each in replay(log, id_of(1))] == [1000]
