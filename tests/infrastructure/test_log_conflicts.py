"""What the log refuses, and how it says so: all of an append or nothing of it."""

from datetime import UTC, datetime, timedelta

import pytest
from uuid_utils.compat import uuid7

from application.ports import (
    ClaimConflict,
    Guard,
    GuardConflict,
    Idempotency,
    IdempotencyConflict,
    PrincipalChange,
    VersionConflict,
)
from application.recording import stream_name
from domain.deals.events import DealArchived, DealEdited, DealRestored
from domain.kernel import Claim
from infrastructure.appending import FutureEvent
from tests.infrastructure.appends import EVENT, a_stream, append, change


def test_positions_of_a_tenant_have_no_gap_and_versions_none_either(store, tenant):
    first, second = a_stream(), a_stream()

    assert store.append(tenant, append(change(first, 0, EVENT, EVENT), change(second))).position == 3
    assert store.append(tenant, append(change(first, 2))).position == 4

    assert [(each.position, each.stream, each.version) for each in store.log(tenant, after=0, limit=9)] == [
        (1, first, 1),
        (2, first, 2),
        (3, second, 1),
        (4, first, 3),
    ]


def test_a_version_that_is_there_already_is_a_conflict_that_names_stream_version_and_row(store, tenant):
    taken, free = a_stream(), a_stream()
    store.append(tenant, append(change(taken)))

    with pytest.raises(VersionConflict) as refused:
        store.append(tenant, append(change(free, row=7), change(taken, row=8)))

    assert (refused.value.stream, refused.value.version, refused.value.row) == (taken, 1, 8)
    assert store.stream(tenant, free) == []
    assert store.head(tenant) == 1


def test_the_same_stream_twice_in_one_append_is_a_conflict_and_not_a_silent_loss(store, tenant):
    stream = a_stream()

    with pytest.raises(VersionConflict):
        store.append(tenant, append(change(stream), change(stream)))

    assert store.head(tenant) == 0


def test_a_guarded_stream_that_moved_is_a_conflict_that_names_it(store, tenant):
    pipeline, deal = stream_name("pipeline", uuid7()), a_stream()
    store.append(tenant, append(change(pipeline, 0, EVENT, EVENT)))

    with pytest.raises(GuardConflict) as refused:
        store.append(tenant, append(change(deal), guards=(Guard(stream=pipeline, version=1),)))

    assert (refused.value.stream, refused.value.expected, refused.value.actual) == (pipeline, 1, 2)
    store.append(tenant, append(change(deal), guards=(Guard(stream=pipeline, version=2),)))


def test_a_guard_of_version_zero_says_that_a_stream_is_not_there(store, tenant):
    absent, deal = a_stream(), a_stream()
    store.append(tenant, append(change(deal), guards=(Guard(stream=absent, version=0),)))
    store.append(tenant, append(change(absent)))

    with pytest.raises(GuardConflict):
        store.append(tenant, append(change(deal, 1), guards=(Guard(stream=absent, version=0),)))


def test_a_held_claim_is_a_conflict_that_names_claim_holder_and_row(store, tenant):
    holder, other, free = a_stream(), a_stream(), a_stream()
    claim = Claim("deal.external_id", "A-1")
    store.append(tenant, append(change(holder, acquire=(claim,))))

    with pytest.raises(ClaimConflict) as refused:
        store.append(
            tenant,
            append(
                change(free, acquire=(Claim("deal.external_id", "A-2"),), row=1), change(other, acquire=(claim,), row=2)
            ),
        )

    assert (refused.value.claim, refused.value.holder, refused.value.row) == (claim, holder, 2)
    assert store.holders(tenant, (claim, Claim("deal.external_id", "A-2"))) == {claim: holder}


def test_two_rows_of_one_batch_cannot_claim_the_same_value(store, tenant):
    claim = Claim("deal.external_id", "A-1")

    with pytest.raises(ClaimConflict) as refused:
        store.append(
            tenant, append(change(a_stream(), acquire=(claim,), row=1), change(a_stream(), acquire=(claim,), row=2))
        )

    assert refused.value.row == 2


def test_a_released_claim_is_free_and_one_of_another_tenant_always_was(store, tenant):
    holder, other = a_stream(), a_stream()
    claim = Claim("deal.external_id", "A-1")
    store.append(tenant, append(change(holder, acquire=(claim,))))
    store.append(uuid7(), append(change(other, acquire=(claim,))))

    store.append(tenant, append(change(holder, 1, release=(claim,)), change(other, 0, acquire=(claim,))))

    assert store.holders(tenant, (claim,)) == {claim: other}


def test_only_the_holder_releases_a_claim(store, tenant):
    holder = a_stream()
    claim = Claim("deal.external_id", "A-1")
    store.append(tenant, append(change(holder, acquire=(claim,))))

    store.append(tenant, append(change(a_stream(), release=(claim,))))

    assert store.holders(tenant, (claim,)) == {claim: holder}


def test_a_repeated_idempotency_key_gets_the_first_answer_and_appends_nothing(store, tenant):
    first, second = a_stream(), a_stream()
    key = Idempotency(key="k", request=b"body")
    answer = store.append(tenant, append(change(first), idempotency=key))

    again = store.append(tenant, append(change(second), idempotency=key))

    assert (again.replayed, again.position, again.versions) == (True, answer.position, {first: 1})
    assert store.replayed(tenant, "test", key) == again
    assert store.head(tenant) == 1


def test_an_idempotency_key_of_another_request_is_refused_and_another_actors_is_another_key(store, tenant):
    store.append(tenant, append(change(a_stream()), idempotency=Idempotency(key="k", request=b"body")))

    with pytest.raises(IdempotencyConflict):
        store.append(tenant, append(change(a_stream()), idempotency=Idempotency(key="k", request=b"other")))
    with pytest.raises(IdempotencyConflict):
        store.replayed(tenant, "test", Idempotency(key="k", request=b"other"))

    assert store.replayed(tenant, "another", Idempotency(key="k", request=b"other")) is None


def test_an_event_of_the_future_is_refused(store, tenant):
    tomorrow = datetime.now(UTC) + timedelta(days=1)

    with pytest.raises(FutureEvent) as refused:
        store.append(tenant, append(change(a_stream(), occurred_at=(tomorrow,), row=3)))

    assert refused.value.row == 3
    assert store.head(tenant) == 0


def test_an_event_keeps_when_it_happened_and_without_a_time_it_happened_when_it_was_recorded(store, tenant):
    then = datetime(2017, 3, 1, tzinfo=UTC)
    stream = a_stream()

    store.append(tenant, append(change(stream, 0, EVENT, EVENT, occurred_at=(then, None))))

    old, new = store.stream(tenant, stream)
    assert (old.occurred_at, new.occurred_at) == (then, new.recorded_at)
    assert old.recorded_at == new.recorded_at > then


def test_a_changed_role_ends_tokens_and_another_office_does_not(store, database, tenant):
    user = uuid7()

    def stamp(role: str, office: str, *, active: bool = True) -> int:
        principal = PrincipalChange(user=user, role=role, manager=None, office=office, active=active)
        store.append(tenant, append(change(a_stream()), principals=(principal,)))
        rows = database.read(
            tenant, "SELECT * FROM principals WHERE tenant_id = %(tenant)s AND user_id = %(user)s", {"user": user}
        )
        assert (rows[0]["role"], rows[0]["office"], rows[0]["active"]) == (role, office, active)
        return int(rows[0]["stamp"])

    first = stamp("rep", "East")
    assert stamp("rep", "West") == first
    assert stamp("manager", "West") == first + 1
    assert stamp("manager", "West", active=False) == first + 2


def test_what_an_import_read_is_kept_per_stream_and_replaced_as_a_whole(store, tenant):
    stream = a_stream()
    store.append(tenant, append(change(stream, source={"name": "1", "amount": "2"})))
    store.append(tenant, append(change(stream, 1, source={"name": "3"})))

    assert store.sources(tenant, (stream, a_stream())) == {stream: {"name": "3"}}


def test_the_position_of_an_instant_is_the_last_one_recorded_by_then(store, tenant):
    stream = a_stream()
    store.append(tenant, append(change(stream)))
    first = store.stream(tenant, stream)[0].recorded_at
    store.append(tenant, append(change(stream, 1, DealArchived(), DealRestored())))

    assert store.position_at(tenant, first) == 1
    assert store.position_at(tenant, first - timedelta(microseconds=1)) == 0
    assert store.position_at(tenant, datetime.now(UTC) + timedelta(hours=1)) == 3


def test_large_events_are_read_a_few_at_a_time_and_none_is_left_out(store, tenant):
    large = DealEdited(description="x" * 3_000_000)
    stream = a_stream()
    for version in range(8):
        store.append(tenant, append(change(stream, version, large)))
    page = store.log(tenant, after=0, limit=100)
    assert [each.position for each in page] == [1, 2, 3, 4, 5, 6]
    assert [each.position for each in store.log(tenant, after=6, limit=100)] == [7, 8]
