"""`projections` and `queue`: where the read side stands, and what people do about it."""

import json
import os
import pty
import subprocess
import sys
import time

import psycopg
import pytest
from psycopg import sql
from uuid_utils.compat import uuid7

from api.commandline.context import sender
from application.tenancy import TenantProfile
from domain.accounts.commands import CreateAccount
from domain.tenants.commands import RegisterTenant
from infrastructure.bootstrap import Application
from infrastructure.queue_health import Queues
from tests.commandline.conftest import Run, done, refused
from tests.fixtures import DatabaseUrls
from tests.infrastructure.holes import black_hole


@pytest.fixture
def acme(built: Application) -> TenantProfile:
    """A tenant of three events, all of them projected."""
    made = built.tenancy.register(RegisterTenant(name="Acme", subdomain="acme"))
    for name in ("One", "Two"):
        built.handler.handle(sender(made), "account", uuid7(), CreateAccount(name=name))
    for group in built.engine.groups:
        built.engine.drain(group, made.id)
    return made


def park(urls: DatabaseUrls, tenant: TenantProfile, *projections: str) -> None:
    """Lets projections stand before the third event, as if they couldn't apply it."""
    with psycopg.connect(urls.superuser, autocommit=True) as connection:
        for name in projections:
            connection.execute(
                "UPDATE projection_checkpoints SET position = 2, attempts = 6, failure = 'poison', parked_at = now()"
                " WHERE tenant_id = %s AND projection = %s",
                (tenant.id, name),
            )
            connection.execute(
                "INSERT INTO projection_failures (tenant_id, projection, generation, position, stream, type, error)"
                " VALUES (%s, %s, 1, 3, 'account-1', 'account.created.v1', 'KeyError in accounts.py')",
                (tenant.id, name),
            )


def states(told: str) -> dict[str, str]:
    """The state that `status` tells of each projection of the tenant."""
    lines = [line.split(maxsplit=6) for line in told.splitlines() if line.startswith("acme")]
    return {line[1]: " ".join(line[5:]) for line in lines}


def test_status_tells_positions_generations_and_why_something_stands_still(run: Run, acme, fresh_urls):
    park(fresh_urls, acme, "accounts")

    told = done(run("projections", "status"))
    line = next(line for line in told.splitlines() if line.startswith("acme") and " accounts " in line)

    assert "PARKED before position 3" in line
    assert "KeyError in accounts.py" in line
    assert line.split()[2:5] == ["1", "2", "1"]
    assert "up to date" in states(told)["contacts"]
    assert any(line.startswith("platform") for line in told.splitlines())


def test_a_retry_lets_what_is_parked_go_on(run: Run, built, acme, fresh_urls):
    assert "Nothing stands still" in done(run("projections", "retry", "--tenant", "acme"))
    park(fresh_urls, acme, "accounts", "contacts")

    told = done(run("projections", "retry", "contacts"))
    assert told.splitlines() == ["contacts of acme tries again from position 3."]
    assert "accounts of acme" in done(run("projections", "retry", "--tenant", "acme"))

    built.engine.drain("relational", acme.id)
    assert set(states(done(run("projections", "status", "--tenant", "acme"))).values()) == {"- up to date"}


def test_a_skip_needs_a_reason_and_leaves_one_event_out(run: Run, acme, fresh_urls):
    park(fresh_urls, acme, "accounts")

    assert "--reason" in refused(run("projections", "skip", "accounts", "--tenant", "acme"), 2)
    told = done(run("projections", "skip", "--tenant", "acme", "--reason", "a known bug"))
    assert told == "accounts of acme goes on without the event at position 3.\n"

    with psycopg.connect(fresh_urls.superuser) as connection:
        kept = connection.execute("SELECT how, by, reason FROM projection_failures").fetchall()
    assert kept == [("skip", "cli", "a known bug")]


def test_a_skip_says_what_it_cannot_skip(run: Run, acme, fresh_urls):
    def said(code: int, *arguments: str) -> str:
        return refused(run("projections", "skip", *arguments, "--tenant", "acme", "--reason", "why"), code)

    assert "No projection of acme is parked" in said(1)
    assert "neither parked nor waiting" in said(1, "accounts")
    assert "no projection 'nonsense'" in said(2, "nonsense")
    park(fresh_urls, acme, "accounts", "contacts")
    assert "name one: accounts, contacts" in said(2)


def test_a_rebuild_of_a_group_or_a_projection_gives_the_next_generation(run: Run, acme):
    rebuilt = run("projections", "rebuild", "search", "accounts", "--tenant", "acme")
    assert "Rebuilt search, accounts of 1 tenant." in done(rebuilt)
    assert "Rebuilding: " in rebuilt.stderr
    assert "every projection of 2 tenants" in done(run("projections", "rebuild"))

    lines = done(run("projections", "status", "--tenant", "acme")).splitlines()[1:]
    generations = {line.split()[1]: int(line.split()[2]) for line in lines}
    assert generations["accounts"] == generations["search"] == generations["contacts"] + 1 == 3

    assert "no projection 'nonsense'" in refused(run("projections", "rebuild", "nonsense"), 2)


def test_the_queue_is_healthy_with_a_worker_and_without_dead_letters(run: Run, environment, built):
    queue = Queues(built.redis, prefix=environment["REDIS_PREFIX"])
    assert "no worker takes messages" in refused(run("queue", "health"), 1)

    queue.worker_is_alive("a worker")
    assert "The queue is healthy" in done(run("queue", "health"))

    _die(built, environment["REDIS_PREFIX"])
    ill = run("queue", "health")
    assert "1 dead letters" in refused(ill, 1)
    assert "dead since" in ill.stdout


def test_more_than_50_messages_that_failed_are_unhealthy(run: Run, environment, built):
    prefix = environment["REDIS_PREFIX"]
    Queues(built.redis, prefix=prefix).worker_is_alive("a worker")
    failed = json.dumps({"options": {"retries": 1}})
    built.redis.hset(f"{prefix}:projections.DQ.msgs", mapping={str(number): failed for number in range(51)})
    assert "projections: 51 failed, more than 50" in refused(run("queue", "health"), 1)


def test_dead_letters_are_listed_and_what_they_are_about_is_tried_again(run: Run, environment, built, acme, fresh_urls):
    park(fresh_urls, acme, "accounts")
    _die(built, environment["REDIS_PREFIX"], str(acme.id))
    assert f"parked({acme.id}, accounts, 3)" in done(run("queue", "list-dlq"))

    assert "1 of 1 dead letters are tried again" in done(run("queue", "retry-dlq"))
    assert "There are no dead letters" in done(run("queue", "list-dlq"))
    assert "Nothing stands still" in done(run("projections", "retry", "accounts", "--tenant", "acme"))

    _die(built, environment["REDIS_PREFIX"], str(acme.id))
    assert "0 of 1 dead letters are tried again" in done(run("queue", "retry-dlq"))
    assert "There are no dead letters" in done(run("queue", "list-dlq"))


def test_a_dead_letter_stays_when_its_retry_fails(run: Run, environment, built, acme, fresh_urls):
    park(fresh_urls, acme, "accounts")
    _die(built, environment["REDIS_PREFIX"], str(acme.id))
    with psycopg.connect(fresh_urls.superuser, autocommit=True) as connection:
        read_only = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on")
        connection.execute(read_only.format(sql.Identifier(connection.info.dbname)))

    refused(run("queue", "retry-dlq"), 1)

    assert f"parked({acme.id}, accounts, 3)" in done(run("queue", "list-dlq"))


def test_dead_letters_are_deleted_when_somebody_says_yes(run: Run, environment, built):
    _die(built, environment["REDIS_PREFIX"])

    assert "--yes" in refused(run("queue", "clear-dlq"), 2)
    assert "Deleted 1 dead letters" in done(run("queue", "clear-dlq", "--yes"))
    assert "Deleted 0 dead letters" in done(run("queue", "clear-dlq"))


@pytest.mark.parametrize(("said", "code", "left"), [("n", 1, 1), ("", 1, 1), ("y", 0, 0)])
def test_on_a_terminal_dead_letters_are_deleted_for_a_yes_alone(environment, built, tmp_path, said, code, left):
    _die(built, environment["REDIS_PREFIX"])
    ours, terminal = pty.openpty()
    os.write(ours, f"{said}\n".encode())
    ended = subprocess.run(
        [sys.executable, "-m", "api.commandline", "queue", "clear-dlq"],
        stdin=terminal,
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        timeout=120,
        check=False,
    )
    os.close(terminal)
    os.close(ours)
    assert ended.returncode == code, ended.stderr
    assert "Delete 1 dead letters for good?" in ended.stderr
    assert Queues(built.redis, prefix=environment["REDIS_PREFIX"]).health().dead == left


def test_a_redis_that_is_away_is_said_in_a_sentence(run: Run):
    (told,) = refused(run("queue", "health", REDIS_URL="redis://127.0.0.1:1/0"), 1).splitlines()
    assert "Redis can't be reached" in told


def test_a_redis_that_hangs_is_said_within_seconds(run: Run):
    with black_hole() as silent:
        started = time.monotonic()
        (told,) = refused(run("queue", "health", REDIS_URL=f"redis://{silent}/0"), 1).splitlines()
    assert time.monotonic() - started < 18  # four of them for Redis, the rest for a busy machine to start the command
    assert "Redis can't be reached" in told


def _die(built: Application, prefix: str, tenant: str = "a tenant") -> None:
    """Puts a message among the dead letters, as Dramatiq does."""
    message = json.dumps({"actor_name": "parked", "args": [tenant, "accounts", 3], "message_timestamp": 1})
    built.redis.zadd(f"{prefix}:projections.XQ", {"a-message": 1_700_000_000_000})
    built.redis.hset(f"{prefix}:projections.XQ.msgs", "a-message", message)
