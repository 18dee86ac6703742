"""The hash chain: whatever is done to a stored log behind the application's back is found, and where."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from uuid_utils.compat import uuid7

from application.ports import Append, StreamChange
from application.recording import Metadata, stream_name
from domain.deals.events import DealEdited
from infrastructure.postgres import Database
from infrastructure.verification import Flaw, tenants_with_a_log, verify

EVENTS = 12
BAD = 7

FORGERIES = {
    "tenant_id": "gen_random_uuid()",
    "position": "position + 1000",
    "stream": "stream || '0'",
    "version": "version + 1000",
    "type": "'deal.archived.v1'",
    "payload": "convert_to('{\"name\":\"Forged\"}', 'UTF8')",
    "payload_hash": "sha256('forged')",
    "metadata": "convert_to('{\"actor\":\"nobody\"}', 'UTF8')",
    "occurred_at": "occurred_at - interval '1 microsecond'",
    "recorded_at": "recorded_at + interval '1 microsecond'",
    "chain_hash": "sha256('forged')",
}


@pytest.fixture
def superuser(urls):
    with psycopg.connect(urls.superuser, autocommit=True) as connection:
        yield connection


@pytest.fixture
def log(store, tenant: UUID) -> UUID:
    """A tenant with a log of some events: one alone, several at once, history among them."""
    stream = stream_name("deal", uuid7())
    events = tuple(DealEdited(name=f"Name {number}") for number in range(EVENTS))
    long_ago = datetime.now(UTC) - timedelta(days=300)
    metadata = Metadata(actor="test", correlation=uuid4())
    for change in (
        StreamChange(stream=stream, expected=0, events=events[:1]),
        StreamChange(stream=stream, expected=1, events=events[1:9], occurred_at=(long_ago,) * 8),
        StreamChange(stream=stream, expected=9, events=events[9:]),
    ):
        store.append(tenant, Append(metadata=metadata, changes=(change,)))
    return tenant


def flaw_in(database: Database, tenant: UUID) -> Flaw:
    """The flaw that must be found."""
    flaw = verify(database, tenant).flaw
    assert flaw is not None
    return flaw


def test_an_untouched_log_is_right_and_ends_where_its_head_says(database, log):
    verified = verify(database, log)

    assert (verified.flaw, verified.events, verified.head) == (None, EVENTS, EVENTS)


def test_a_log_without_events_is_right(database, tenant):
    assert verify(database, tenant).flaw is None


def test_a_log_of_several_pages_is_followed_to_its_end(database, store, tenant):
    events = tuple(DealEdited(name=f"Name {number}") for number in range(1001))
    change = StreamChange(stream=stream_name("deal", uuid7()), expected=0, events=events)
    store.append(tenant, Append(metadata=Metadata(actor="test", correlation=uuid4()), changes=(change,)))
    told: list[tuple[int, int]] = []

    assert verify(database, tenant, lambda done, of: told.append((done, of))).events == 1001
    assert told == [(500, 1001), (1000, 1001), (1001, 1001)]


@pytest.mark.parametrize("column", FORGERIES)
def test_an_altered_column_is_found_at_its_position(database, superuser, log, column):
    superuser.execute(
        f"UPDATE events SET {column} = {FORGERIES[column]} WHERE tenant_id = %s AND position = %s", (log, BAD)
    )

    assert flaw_in(database, log).position == BAD


def test_every_column_of_the_log_is_covered(superuser):
    columns = superuser.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'events'::regclass AND attnum > 0 AND NOT attisdropped"
    )
    assert {name for (name,) in columns} == set(FORGERIES)


def test_a_payload_altered_together_with_its_hash_is_found(database, superuser, log):
    superuser.execute(
        "UPDATE events SET payload = 'x', payload_hash = sha256('x') WHERE tenant_id = %s AND position = %s", (log, BAD)
    )
    assert flaw_in(database, log).position == BAD


def test_an_instant_that_no_calendar_holds_is_found_too(database, superuser, log):
    superuser.execute("UPDATE events SET occurred_at = '-infinity' WHERE tenant_id = %s AND position = %s", (log, BAD))
    assert flaw_in(database, log).position == BAD


def test_a_removed_event_is_found(database, superuser, log):
    superuser.execute("DELETE FROM events WHERE tenant_id = %s AND position = %s", (log, BAD))

    flaw = flaw_in(database, log)

    assert (flaw.position, flaw.reason) == (BAD, "it is missing: the next event found is at 8")


def test_two_swapped_events_are_found(database, superuser, log):
    renumber = "UPDATE events SET position = %s WHERE tenant_id = %s AND position = %s"
    for before, after in ((BAD, 999), (BAD + 1, BAD), (999, BAD + 1)):
        superuser.execute(renumber, (after, log, before))

    assert flaw_in(database, log).position == BAD


def test_a_cut_off_end_is_found(database, superuser, log):
    superuser.execute("DELETE FROM events WHERE tenant_id = %s AND position > 10", (log,))

    flaw = flaw_in(database, log)

    assert (flaw.position, flaw.reason) == (11, "the log ends before it, but its head is at 12")


def test_a_log_of_which_nothing_is_left_is_found(database, superuser, log):
    superuser.execute("DELETE FROM events WHERE tenant_id = %s", (log,))
    assert flaw_in(database, log).position == 1


@pytest.mark.parametrize("forged", ["position = 10", "position = 13", "chain_hash = sha256('forged')"])
def test_a_forged_head_is_found(database, superuser, log, forged):
    superuser.execute(f"UPDATE tenant_heads SET {forged} WHERE tenant_id = %s", (log,))
    assert flaw_in(database, log).position in (11, 12, 13)


def test_a_lost_head_is_found(database, superuser, log):
    superuser.execute("DELETE FROM tenant_heads WHERE tenant_id = %s", (log,))
    assert flaw_in(database, log).position == 1


def test_an_event_slipped_in_front_is_found(database, superuser, log):
    superuser.execute(
        "INSERT INTO events SELECT tenant_id, 0, 'deal-0', 1, type, payload, payload_hash, metadata, occurred_at,"
        " recorded_at, chain_hash FROM events WHERE tenant_id = %s AND position = 1",
        (log,),
    )
    assert flaw_in(database, log).position == 1


def test_a_recording_that_goes_back_in_time_is_found_although_its_chain_is_right(database, superuser, log):
    superuser.execute(
        """WITH RECURSIVE forged AS (
               SELECT 0::bigint AS position, sha256(uuid_send(%(tenant)s)) AS link
               UNION ALL
               SELECT e.position, chain_link(f.link, e.tenant_id, e.position, e.stream, e.version, e.type,
                   e.payload_hash, e.metadata, e.occurred_at,
                   CASE WHEN e.position < 3 THEN e.recorded_at + interval '1 day' ELSE e.recorded_at END)
               FROM forged f JOIN events e ON e.tenant_id = %(tenant)s AND e.position = f.position + 1
           )
           UPDATE events e SET chain_hash = f.link,
               recorded_at = CASE WHEN e.position < 3 THEN e.recorded_at + interval '1 day' ELSE e.recorded_at END
           FROM forged f WHERE e.tenant_id = %(tenant)s AND e.position = f.position""",
        {"tenant": log},
    )
    flaw = flaw_in(database, log)

    assert (flaw.position, flaw.reason) == (3, "it was recorded before the event in front of it")


def test_the_monitor_sees_every_tenant_with_a_log(urls, log):
    assert log in tenants_with_a_log(urls.monitor)
