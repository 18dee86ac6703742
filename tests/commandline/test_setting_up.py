"""Migrations, tenants and first users."""

import socket
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from application.recording import stream_subject
from domain.kernel import Claim
from domain.security.events import SecondFactorReset
from infrastructure.bootstrap import Application
from infrastructure.migrate import known
from infrastructure.second_factors import SecondFactors
from tests.commandline.conftest import Run, done, refused
from tests.faults.stand import eventually
from tests.fixtures import PASSWORDS
from tests.services.databases import Postgres

STRONG = "a long enough password"
ONE_HAS_LOOKED = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND query = 'COMMIT'"
PRODUCTION = {"ENVIRONMENT": "production", "PUBLIC_URL": "https://crm.example.com"}


def test_a_dry_run_prints_the_sql_and_runs_none_of_it(run: Run, postgres):
    urls = _empty(postgres)

    told = done(run("db", "migrate", "--dry-run", DATABASE_OWNER_URL=urls))
    assert "CREATE TABLE events" in told
    with psycopg.connect(urls) as connection:
        assert connection.execute("SELECT to_regclass('events')").fetchone() == (None,)

    assert "Applied 0001-event-log" in done(run("db", "migrate", DATABASE_OWNER_URL=urls))
    assert "up to date" in done(run("db", "migrate", DATABASE_OWNER_URL=urls))
    assert "Nothing to apply" in done(run("db", "migrate", "--dry-run", DATABASE_OWNER_URL=urls))


def test_two_migrations_at_once_run_one_behind_the_other(run: Run, postgres):
    urls = _empty(postgres)

    with ThreadPoolExecutor(2) as both:
        ended = list(both.map(lambda _: run("db", "migrate", DATABASE_OWNER_URL=urls), range(2)))
    told = sorted(done(each) for each in ended)

    assert told[1] == "Nothing to apply: the database is up to date.\n"
    assert told[0].splitlines() == [f"Applied {each}" for each in known()]


def test_a_migration_that_waits_for_another_says_so(run: Run, postgres):
    urls = _empty(postgres)
    done(run("db", "migrate", DATABASE_OWNER_URL=urls))
    with ThreadPoolExecutor(1) as other:
        with psycopg.connect(urls) as holding:
            holding.execute("SELECT FROM migration_lock FOR UPDATE")
            waiting = other.submit(run, "db", "migrate", DATABASE_OWNER_URL=urls)
            # It has looked at the row once, in a transaction, and found it taken.
            with psycopg.connect(urls, autocommit=True) as looking:
                eventually(lambda: waiting.done() or looking.execute(ONE_HAS_LOOKED).rowcount, within=60)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=2)
        ended = waiting.result(timeout=60)

    assert "up to date" in done(ended)
    assert ended.stderr == "Another process migrates this database: waiting for it.\n"


def test_a_migration_that_meets_a_table_in_use_says_what_to_do(run: Run, postgres):
    urls = _empty(postgres)
    done(run("db", "migrate", DATABASE_OWNER_URL=urls))
    with psycopg.connect(urls) as holding:
        holding.execute("LOCK TABLE _yoyo_migration")
        assert "Repeat it when no long query" in refused(run("db", "migrate", DATABASE_OWNER_URL=urls), 1)


def test_migrations_say_which_setting_they_need(run: Run):
    assert "DATABASE_OWNER_URL" in refused(run("db", "migrate", DATABASE_OWNER_URL=None), 2)


def test_a_tenant_is_made_with_its_time_zone_and_listed(run: Run):
    told = done(run("tenant", "create", "Acme Inc.", "--subdomain", "acme", "--time-zone", "Europe/Berlin"))

    assert "seed admin --tenant acme" in told
    (line,) = done(run("tenant", "list")).splitlines()
    assert line.split()[0] == "acme"
    assert line.split()[2:] == ["Europe/Berlin", "active", "Acme", "Inc."]


def test_a_tenant_that_cannot_be_is_refused_in_a_sentence(run: Run):
    done(run("tenant", "create", "Acme", "--subdomain", "acme"))

    assert "subdomain" in refused(run("tenant", "create", "Another", "--subdomain", "acme"), 1)
    assert "such as 'acme'" in refused(run("tenant", "create", "Another", "--subdomain", "Not a label"), 2)
    assert "time zone" in refused(run("tenant", "create", "B", "--subdomain", "b", "--time-zone", "Mars/Base"), 1)
    assert "--plan" in refused(run("tenant", "create", "B", "--subdomain", "b", "--plan", "golden"), 2)


def test_a_full_tenant_gets_room_by_a_higher_limit(run: Run):
    done(run("tenant", "create", "Acme", "--subdomain", "acme", "--max-users", "1"))
    done(run("seed", "admin", "--tenant", "acme"))
    another = ("seed", "admin", "--tenant", "acme", "--email", "boss@acme.example")

    assert "No more than 1" in refused(run(*another), 1)
    assert "at most 2 active users" in done(run("tenant", "edit", "acme", "--max-users", "2"))
    done(run(*another))
    assert "any number of active users" in done(run("tenant", "edit", "acme", "--max-users", "0", "--plan", "custom"))


def test_an_edit_of_a_tenant_that_cannot_be_is_refused_in_a_sentence(run: Run):
    done(run("tenant", "create", "Acme", "--subdomain", "acme"))
    done(run("tenant", "create", "Beta", "--subdomain", "beta"))

    assert "Name what to change" in refused(run("tenant", "edit", "acme"), 2)
    assert "--max-users" in refused(run("tenant", "edit", "acme", "--max-users", "-1"), 2)
    assert "subdomain" in refused(run("tenant", "edit", "acme", "--subdomain", "beta"), 1)
    assert "no tenant 'nobody'" in refused(run("tenant", "edit", "nobody", "--name", "A"), 1)


def test_the_first_admin_gets_the_published_password_once_and_is_told_to_change_it(run: Run):
    done(run("tenant", "create", "Acme", "--subdomain", "acme"))

    first = run("seed", "admin", "--tenant", "acme")
    again = run("seed", "admin", DEFAULT_TENANT="acme")

    assert "Made the admin admin@clientforge.local" in done(first)
    assert "CHANGE IT NOW" in first.stderr
    assert "is there already" in done(again)
    assert len(done(run("events", "replay", "--tenant", "acme", "--format", "ndjson")).splitlines()) == 3


def test_production_refuses_the_published_password(run: Run):
    done(run("tenant", "create", "Acme", "--subdomain", "acme"))

    told = refused(run("seed", "admin", "--tenant", "acme", **PRODUCTION), 1)
    assert "ENVIRONMENT=production" in told

    given = {**PRODUCTION, "CLIENTFORGE_ADMIN_PASSWORD": STRONG}
    made = run("seed", "admin", "--tenant", "acme", "--email", "boss@acme.example", **given)
    assert "boss@acme.example" in done(made)
    assert "CHANGE" not in made.stderr


def test_production_does_not_start_with_the_published_password(run: Run):
    done(run("tenant", "create", "Acme", "--subdomain", "acme"))
    done(run("seed", "admin", "--tenant", "acme"))

    told = refused(run("serve", **PRODUCTION, DEFAULT_TENANT="acme", PORT="0"), 1)
    assert "published password" in told
    assert "seed admin --tenant acme --reset" in told


@pytest.mark.parametrize("process", ["serve", "worker"])
def test_a_port_that_another_program_has_is_said(run: Run, process):
    # It shares its port, as Granian's processes do: a second server must not join them.
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as other:
        port = str(other.getsockname()[1])
        setting = {"serve": "PORT", "worker": "METRICS_PORT"}[process]
        told = refused(run(process, **{setting: port}), 1)
    assert f"Port {port} of 127.0.0.1 is taken by another program. Choose another one with {setting}." in told


def test_production_does_not_start_with_secrets_that_can_be_guessed(run: Run):
    weak = {"JWT_SECRET": "change-me-" * 5, "PUBLIC_URL": "http://crm.example.com"}
    told = refused(run("serve", ENVIRONMENT="production", PORT="0", **weak), 2)
    assert "JWT_SECRET" in told
    assert "PUBLIC_URL" in told
    assert "change-me" not in told


def test_a_password_of_ones_own_is_long_enough_and_replaces_another_only_when_asked(run: Run):
    done(run("tenant", "create", "Acme", "--subdomain", "acme"))

    assert "12" in refused(run("seed", "admin", "--tenant", "acme", "--password", "short"), 1)
    done(run("seed", "admin", "--tenant", "acme"))
    assert "CHANGE IT NOW" in run("seed", "admin", "--tenant", "acme", "--password", STRONG).stderr
    assert "CHANGE" not in run("seed", "admin", "--tenant", "acme", "--password", STRONG, "--reset").stderr


def test_an_admin_who_lost_their_second_factor_is_let_in_without_it(run: Run, built: Application):
    done(run("tenant", "create", "Acme", "--subdomain", "acme"))
    done(run("seed", "admin", "--tenant", "acme", "--password", STRONG))
    tenant = built.tenancy.find("acme").id
    claim = Claim("user.email", "admin@clientforge.local")
    user = stream_subject(built.store.holders(tenant, (claim,))[claim])[1]
    with built.database.transaction(tenant) as transaction:
        transaction.execute(
            "INSERT INTO second_factors (tenant_id, user_id, secret, begun_at, confirmed_at, last_step)"
            " VALUES (%(tenant)s, %(user)s, 'sealed', now(), now(), 1)",
            {"user": user},
        )
    factors = SecondFactors(built.database, built.keyring)

    done(run("seed", "admin", "--tenant", "acme", "--password", STRONG, "--reset"))
    assert factors.of(tenant, user).on
    told = done(run("seed", "admin", "--tenant", "acme", "--password", STRONG, "--no-second-factor"))
    assert "keeps the password" in told
    assert "second factor is off" in told
    assert not factors.of(tenant, user).on
    last = built.store.stream(tenant, f"access-{user}")[-1]
    assert (last.event, last.metadata.actor) == (SecondFactorReset(), "cli")
    assert "no second factor" in done(run("seed", "admin", "--tenant", "acme", "--no-second-factor"))


def test_a_tenant_that_is_not_there_is_refused(run: Run):
    assert "no tenant 'nobody'" in refused(run("seed", "admin", "--tenant", "nobody"), 1)
    assert "--tenant" in refused(run("seed", "admin"), 2)


def _empty(postgres: Postgres) -> str:
    """The owner's URL of a database without tables."""
    made = postgres.database()
    with psycopg.connect(made.superuser_url, autocommit=True) as connection:
        connection.execute(f"GRANT ALL ON DATABASE {made.name} TO clientforge_owner")
        connection.execute("GRANT ALL ON SCHEMA public TO clientforge_owner")
    return made.url("clientforge_owner", PASSWORDS["clientforge_owner"])
