"""`clientforge verify services`: one table and one exit code, soon, whatever is dead; and who could log in."""

import json
import time
from typing import Any

import psycopg
import pytest

from api.commandline.checking_access import access
from api.commandline.seeding import EMAIL, seed_admin
from domain.tenants.commands import RegisterTenant
from infrastructure.bootstrap import Application
from infrastructure.checks.serving import api, url_of
from infrastructure.settings import Settings
from tests.commandline.conftest import Run, done
from tests.infrastructure.holes import black_hole, closed_port
from tests.infrastructure.unwell import answering


def worst(findings: Any) -> dict[str, str]:
    """The worst result of each check; whatever isn't well says what to do."""
    order = ["ok", "skipped", "warning", "failed"]
    found: dict[str, str] = {}
    for each in findings:
        line = each if isinstance(each, dict) else {"check": each.check, "result": each.result, "todo": each.todo}
        assert line["todo"] or line["result"] in ("ok", "skipped")
        found[line["check"]] = max(found.get(line["check"], "ok"), line["result"], key=order.index)
    return found


CHECKS = {
    *("environment", "file structure", "dependencies", "PostgreSQL connection"),
    *("MongoDB connection", "Redis connection", "Elasticsearch health"),
    *("API", "authentication secret", "authentication admins"),
}


def test_services_that_are_dead_or_silent_cost_seconds_and_are_all_told(run: Run):
    with black_hole() as silent:
        for at in (closed_port(), silent):
            started = time.monotonic()
            ended = run(
                *("verify", "services", "--json", "--url", f"http://{at}"),
                DATABASE_URL=f"postgresql://app:hUq2Lw8x@{at}/x",
                DATABASE_OWNER_URL=f"postgresql://owner:hUq2Lw8x@{at}/x",
                DATABASE_MONITOR_URL=f"postgresql://monitor:hUq2Lw8x@{at}/x",
                REDIS_URL=f"redis://{at}/0",
                ELASTICSEARCH_URL=f"http://{at}",
                MONGODB_URL=f"mongodb://{at}/x",
            )
            assert time.monotonic() - started < 30
            assert ended.returncode == 1, ended.stderr
            found = worst(json.loads(ended.stdout))
            assert set(found) == CHECKS
            assert {name for name, result in found.items() if result == "failed"} == CHECKS - {
                *("environment", "file structure", "dependencies", "authentication secret")
            }
            assert "hUq2Lw8x" not in ended.stdout + ended.stderr


def test_without_valid_settings_it_tells_what_is_wrong_with_them(run: Run):
    ended = run("verify", "services", JWT_SECRET="short", MASTER_KEY=None)

    assert ended.returncode == 1
    lines = [line.split(maxsplit=2) for line in ended.stdout.splitlines()]
    assert lines[0][:2] == ["CHECK", "RESULT"]
    assert [(each[0], each[1]) for each in lines[1:3]] == [("environment", "failed")] * 2
    assert {each[2].partition(":")[0] for each in lines[1:3]} == {"JWT_SECRET", "MASTER_KEY"}
    assert [each[0] for each in lines[3:5]] == ["file", "dependencies"]
    assert [(each[0], each[1]) for each in lines[5:]] == [
        (name, "skipped") for name in ("PostgreSQL", "MongoDB", "Redis", "Elasticsearch", "API", "authentication")
    ]


def test_in_production_weak_settings_fail(run: Run):
    ended = run("verify", "services", ENVIRONMENT="production", JWT_SECRET="x" * 40)

    assert ended.returncode == 1
    assert "failed   JWT_SECRET: can be guessed" in ended.stdout


def told(settings: Settings) -> dict[str, tuple[str, str]]:
    """Result and text of each check of who could log in."""
    return {each.check: (each.result, each.found) for each in access(settings)}


def changed(built: Application, **fields: Any) -> Settings:
    return built.settings.model_copy(update=fields)


def test_a_secret_that_can_be_guessed_fails(built):
    from pydantic import SecretStr

    assert told(built.settings)["authentication secret"][0] == "ok"
    weak = changed(built, jwt_secret=SecretStr("change-me-" * 5))
    result, text = told(weak)["authentication secret"]
    assert result == "failed"
    assert "change-me" not in text


def test_tenants_without_an_admin_fail(built):
    assert told(built.settings)["authentication admins"] == ("failed", "there is no tenant")

    acme = built.tenancy.register(RegisterTenant(name="Acme", subdomain="acme"))
    assert told(built.settings)["authentication admins"] == ("failed", "no active admin: acme")
    seed_admin(built, acme, EMAIL, "Wanderers-gather-7-plums")
    assert told(built.settings)["authentication admins"][0] == "ok"

    missing = told(changed(built, default_tenant="nobody"))["authentication admins"]
    assert missing == ("failed", "there is no active tenant 'nobody', which DEFAULT_TENANT names")


def test_the_published_password_is_told_and_fails_in_production_whoever_has_it(built):
    acme = built.tenancy.register(RegisterTenant(name="Acme", subdomain="acme"))
    seed_admin(built, acme, "boss@acme.example", None)
    known = "an admin has the published password: acme"
    assert told(built.settings)["default password"] == ("warning", known)
    assert told(changed(built, environment="production"))["default password"] == ("failed", known)

    seed_admin(built, acme, "boss@acme.example", "Wanderers-gather-7-plums", reset=True)
    assert told(changed(built, environment="production"))["default password"][0] == "ok"


def test_a_database_whose_role_is_unsafe_is_not_asked_who_could_log_in(built, fresh_urls):
    from pydantic import SecretStr

    unsafe = changed(built, database_url=SecretStr(fresh_urls.superuser))
    assert told(unsafe)["authentication admins"][0] == "failed"


def test_a_server_that_is_no_clientforge_fails():
    with answering(404) as url:
        assert worst(api(url)) == {"API": "failed"}
    with answering(200, b"{}") as url:
        assert worst(api(url)) == {"API": "ok", "API readiness": "failed", "API documentation": "failed"}


def test_an_api_that_is_asked_too_often_is_a_warning_that_says_when_to_ask_again():
    with answering(429, headers={"Retry-After": "7"}) as url:
        found = api(url)
    assert worst(found) == dict.fromkeys(("API", "API readiness", "API documentation"), "warning")
    assert {each.todo for each in found} == {"try again in 7 seconds"}


def test_an_api_that_is_slow_is_warned_of():
    with answering(200, b"{}", seconds=0.31) as url:
        assert worst(api(url))["API"] == "warning"


@pytest.mark.parametrize(("status", "result"), [("unavailable", "failed"), ("degraded", "warning"), ("ready", "ok")])
def test_an_api_that_misses_a_store_says_so(status, result):
    up = {"name": "redis", "up": status == "ready", "error": "TimeoutError"}
    with answering(200, json.dumps({"status": status, "dependencies": [up]}).encode()) as url:
        assert worst(api(url))["API readiness"] == result


def test_the_api_is_looked_for_where_people_reach_it_or_where_it_listens(built):
    assert url_of(changed(built, public_url="https://crm.example.com")) == "https://crm.example.com"
    everywhere = changed(built, host="0.0.0.0", port=3000)  # noqa: S104 - nothing listens there
    assert url_of(everywhere) == "http://127.0.0.1:3000"
    assert url_of(changed(built, host="::", port=3000)) == "http://[::1]:3000"


def test_more_migrations_are_told_by_the_command_that_applies_them(run: Run, fresh_urls):
    with psycopg.connect(fresh_urls.owner, autocommit=True) as owner:
        owner.execute("DELETE FROM _yoyo_migration WHERE migration_id = '0001-event-log'")
    ended = run("verify", "services")
    (line,) = [line for line in ended.stdout.splitlines() if line.startswith("PostgreSQL migrations")]
    assert "1 migrations are missing, first 0001-event-log → clientforge db migrate" in line


def test_settings_are_told_to_be_in_order(run: Run):
    done(run("tenant", "create", "Acme", "--subdomain", "acme"))
    ended = run("verify", "services", PUBLIC_URL="https://127.0.0.1:9")
    assert "environment              ok       the settings are valid" in ended.stdout
    assert "MongoDB                  ok       not used" in ended.stdout
    assert ended.returncode == 1
