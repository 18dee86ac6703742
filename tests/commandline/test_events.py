"""`events verify` and `events replay`: the log checked, and told again."""

import json
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest
import redis
from uuid_utils.compat import uuid7

from api.commandline.context import sender
from api.commandline.replaying import instant_of
from application.ports import Append, StreamChange
from application.recording import Metadata, stream_name
from application.tenancy import TenantProfile
from domain.contacts.commands import CreateContact, EditContact, EmailDraft
from domain.products.commands import CreateProduct
from domain.products.events import ProductEdited
from domain.tenants.commands import RegisterTenant
from infrastructure.bootstrap import Application
from infrastructure.upkeep import Upkeep
from projections.replaying import replay
from tests.commandline.conftest import Run, done, refused


@pytest.fixture
def acme(built: Application) -> TenantProfile:
    return built.tenancy.register(RegisterTenant(name="Acme", subdomain="acme", time_zone="Asia/Tokyo"))


@pytest.fixture
def ada(built: Application, acme: TenantProfile) -> UUID:
    """A contact that was made, and got another name and title."""
    handler, by = built.handler, sender(acme)
    made = handler.handle(
        by,
        "contact",
        uuid7(),
        CreateContact(first_name="Ada", last_name="Byron", emails=(EmailDraft(address="ada@acme.example"),)),
    )
    handler.handle(by, "contact", made.id, EditContact(last_name="Lovelace\u202e", title="Countess"))
    return made.id


def erase(superuser_url: str, subject: UUID) -> None:
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE keys.subject_keys SET wrapped = NULL, erased_at = now() WHERE subject = %s", (subject,)
        )


def test_an_intact_log_is_said_to_be_so_for_every_tenant(run: Run, ada):
    assert done(run("events", "verify")).splitlines() == ["platform: 1 events, intact", "acme: 3 events, intact"]


def test_an_altered_event_is_named_with_its_tenant_and_position(run: Run, ada, acme, fresh_urls):
    with psycopg.connect(fresh_urls.superuser, autocommit=True) as connection:
        connection.execute(
            "UPDATE events SET occurred_at = occurred_at - interval '1 s' WHERE tenant_id = %s AND position = 2",
            (acme.id,),
        )

    everywhere = run("events", "verify")
    assert everywhere.returncode == 1
    assert "acme: BROKEN at position 2: its fields" in everywhere.stdout
    assert "platform: 1 events, intact" in everywhere.stdout
    assert run("events", "verify", "--tenant", str(acme.id)).returncode == 1
    assert run("events", "verify", "--tenant", "platform").returncode == 0


def test_those_who_look_after_the_system_are_told_how_it_went(run: Run, ada, acme, fresh_urls, environment):
    def moved(by: str) -> None:
        with psycopg.connect(fresh_urls.superuser, autocommit=True) as connection:
            connection.execute(
                "UPDATE events SET occurred_at = occurred_at + %s::interval WHERE tenant_id = %s AND position = 2",
                (by, acme.id),
            )

    with redis.Redis.from_url(environment["REDIS_URL"]) as client:
        upkeep = Upkeep(client, prefix=environment["REDIS_PREFIX"])
        moved("1 s")
        assert run("events", "verify").returncode == 1
        assert not upkeep.last()["chain_verification"].well
        done(run("events", "verify", "--tenant", "platform"))
        assert not upkeep.last()["chain_verification"].well
        moved("-1 s")
        done(run("events", "verify"))
        assert upkeep.last()["chain_verification"].well


def test_verifying_all_tenants_needs_the_role_that_sees_them(run: Run):
    assert "DATABASE_MONITOR_URL" in refused(run("events", "verify", DATABASE_MONITOR_URL=None), 2)


def test_a_replay_tells_people_who_did_what_when_with_both_values(run: Run, ada):
    told = done(run("events", "replay", "--tenant", "acme", "--stream", f"contact-{ada}"))

    made, edited = told.strip().split("\n\n")
    assert made.startswith(f"#2  contact.created.v1  contact-{ada}  version 1\n    by cli\n    recorded 20")
    assert "    personal.first_name: Ada" in made
    assert "    personal.last_name: Byron → Lovelace\\u202e" in edited
    assert "    title: none → Countess" in edited or "    personal.title: none → Countess" in edited
    assert "first_name" not in edited


def test_a_replay_gives_programs_an_object_per_line_with_every_field(run: Run, ada):
    lines = done(run("events", "replay", "--tenant", "acme", "--format", "ndjson")).splitlines()

    pipeline, made, edited = map(json.loads, lines)
    assert [each["position"] for each in (pipeline, made, edited)] == [1, 2, 3]
    assert made["before"] is None
    assert edited["before"] == made["after"]
    assert edited["after"]["personal"]["last_name"].startswith("Lovelace")
    assert pipeline.keys() == made.keys() == edited.keys()


def test_erased_data_is_said_to_be_erased(run: Run, ada, fresh_urls):
    erase(fresh_urls.superuser, ada)

    told = done(run("events", "replay", "--tenant", "acme"))
    assert "    personal: erased" in told
    assert "Byron" not in told
    lines = done(run("events", "replay", "--tenant", "acme", "--format", "ndjson")).splitlines()
    assert json.loads(lines[1])["after"]["personal"] == {"kind": "erased"}


def test_a_lost_key_stops_the_replay(run: Run, ada, fresh_urls):
    with psycopg.connect(fresh_urls.superuser, autocommit=True) as connection:
        connection.execute("DELETE FROM keys.subject_keys WHERE subject = %s", (ada,))

    assert "nobody erased it" in refused(run("events", "replay", "--tenant", "acme"), 1)


@pytest.mark.parametrize(("until", "events"), [("2", 2), ("0", 0), ("99999999999999999999", 3), ("2020-01-01", 0)])
def test_a_replay_ends_where_it_is_asked_to(run: Run, ada, until, events):
    told = done(run("events", "replay", "--tenant", "acme", "--until", until, "--format", "ndjson"))
    assert len(told.splitlines()) == events


def test_what_cannot_be_replayed_is_refused_in_a_sentence(run: Run, ada):
    def said(code: int, *arguments: str) -> str:
        return refused(run("events", "replay", "--tenant", "acme", *arguments), code)

    assert "no events of deal-" in said(1, "--stream", f"deal-{ada}")
    assert "names no record" in said(2, "--stream", "Ada")
    assert "neither a position nor a time" in said(2, "--until", "yesterday")
    assert "no tenant 'nobody'" in refused(run("events", "replay", "--tenant", "nobody"), 1)


def test_a_day_ends_where_the_tenant_is_and_a_time_without_offset_is_theirs():
    assert instant_of("2026-07-01", "Asia/Tokyo") == datetime(2026, 7, 1, 14, 59, 59, 999999, tzinfo=UTC)
    assert instant_of("2026-07-01T12:00", "Asia/Tokyo") == datetime(2026, 7, 1, 3, tzinfo=UTC)
    assert instant_of("2026-07-01T12:00Z", "Asia/Tokyo") == datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("kept", [0, 1, 5_000])
def test_states_are_right_across_the_pages_of_a_long_log(built: Application, acme, kept):
    command, metadata = CreateProduct(name="Name 0"), Metadata(actor="test", correlation=uuid7())
    products = [built.handler.handle(sender(acme), "product", uuid7(), command).id for _ in range(2)]
    for number in range(1, 600, 3):
        events = tuple(ProductEdited(name=f"Name {number + each}") for each in range(3))
        changes = tuple(
            StreamChange(stream=stream_name("product", each), expected=number, events=events) for each in products
        )
        built.store.append(acme.id, Append(metadata=metadata, changes=changes))

    entries = list(replay(built.store, acme.id, kept=kept))

    assert [each.position for each in entries] == list(range(1, 1204))
    for product in products:
        of_one = [each for each in entries if each.stream == stream_name("product", product)]
        assert [each.before for each in of_one] == [None, *(each.after for each in of_one[:-1])]
        assert [each.after["name"] for each in of_one if each.after] == [f"Name {number}" for number in range(601)]
    assert [each.position for each in replay(built.store, acme.id, until=501, kept=kept)] == list(range(1, 502))
