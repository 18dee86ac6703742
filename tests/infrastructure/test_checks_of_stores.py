"""What `verify services` says of stores that are as they should be, and of stores that are broken in one way each."""

import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from elasticsearch import Elasticsearch
from psycopg import sql
from pymongo import MongoClient
from uuid_utils.compat import uuid7

from infrastructure.checks.elasticsearch import elasticsearch
from infrastructure.checks.mongo import mongodb
from infrastructure.checks.postgres import postgresql
from infrastructure.checks.redis import redis_server
from infrastructure.elasticsearch import ElasticsearchIndex, alias_name, index_name
from infrastructure.embedded import EmbeddedRedis
from infrastructure.findings import Finding
from infrastructure.mongo import MongoTrail
from infrastructure.settings import Settings
from tests.fixtures import JWT_SECRET, MASTER_KEY, DatabaseUrls
from tests.infrastructure.holes import black_hole, closed_port
from tests.infrastructure.unwell import answering
from tests.services.databases import Postgres

PATIENCE = 10.0
"""Seconds after which a dead store must be told; there are three roles to try at PostgreSQL."""


def results(findings: Sequence[Finding]) -> dict[str, str]:
    """The worst result of each check."""
    order = ["ok", "skipped", "warning", "failed"]
    worst: dict[str, str] = {}
    for each in findings:
        worst[each.check] = max(worst.get(each.check, "ok"), each.result, key=order.index)
    return worst


def failures(findings: Sequence[Finding]) -> list[str]:
    """What failed, each with something to do."""
    wrong = [each for each in findings if each.result == "failed"]
    assert all(each.todo for each in wrong)
    return [f"{each.check}: {each.found}" for each in wrong]


@pytest.fixture
def settings(fresh_urls: DatabaseUrls, redis_url: str) -> Callable[..., Settings]:
    """The settings of a system over a database of the test alone."""

    def made(**others: Any) -> Settings:
        known = {
            "database_url": fresh_urls.app,
            "database_owner_url": fresh_urls.owner,
            "database_monitor_url": fresh_urls.monitor,
            "redis_url": redis_url,
            "jwt_secret": JWT_SECRET,
            "master_key": MASTER_KEY,
        }
        return Settings.load(_env_file=None, **{**known, **others})

    return made


def test_a_postgresql_as_it_should_be_is_well(settings):
    assert results(postgresql(settings())) == dict.fromkeys(
        (
            *("PostgreSQL connection", "PostgreSQL version", "PostgreSQL roles", "PostgreSQL migrations"),
            "row-level security",
        ),
        "ok",
    )


@pytest.mark.parametrize("name", ["database_url", "database_owner_url", "database_monitor_url"])
def test_a_wrong_password_of_any_role_fails(settings, fresh_urls, name):
    wrong = fresh_urls.app.replace("app-of-a-test", "quite-another-one")
    (told,) = failures(postgresql(settings(**{name: wrong})))
    assert told.startswith(f"PostgreSQL connection: {name.upper()}: ")
    assert "password authentication failed" in told
    assert "quite-another-one" not in told


def test_a_url_that_cannot_be_understood_is_not_repeated(settings):
    (told,) = failures(postgresql(settings(database_url="postgresql://app:s3cr3t@127.0.0.1:port/x")))
    assert "DATABASE_URL" in told
    assert "s3cr3t" not in told


def test_an_old_postgresql_fails(settings, monkeypatch):
    monkeypatch.setattr("infrastructure.checks.postgres._OLDEST", 99)
    assert "too old" in failures(postgresql(settings()))[0]


def test_a_superuser_as_any_role_fails(settings, fresh_urls):
    found = postgresql(
        settings(
            database_url=fresh_urls.superuser,
            database_owner_url=fresh_urls.superuser,
            database_monitor_url=fresh_urls.superuser,
        )
    )
    wrong = failures(found)
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_MONITOR_URL"):
        assert f"PostgreSQL roles: {name}: postgres is a superuser" in wrong


def test_roles_that_are_mixed_up_fail(settings, fresh_urls):
    swapped = settings(
        database_url=fresh_urls.owner, database_owner_url=fresh_urls.app, database_monitor_url=fresh_urls.app
    )
    assert failures(postgresql(swapped))[:3] == [
        "PostgreSQL roles: DATABASE_URL: clientforge_owner owns tables",
        "PostgreSQL roles: DATABASE_OWNER_URL: clientforge_app doesn't own the tables, so it can't migrate them",
        "PostgreSQL roles: DATABASE_MONITOR_URL: clientforge_app can read events, of which it needs none",
    ]


def test_a_monitor_that_sees_nothing_fails(settings, fresh_urls):
    with psycopg.connect(fresh_urls.owner, autocommit=True) as owner:
        owner.execute("REVOKE SELECT ON tenant_heads FROM clientforge_monitor")
    assert "can't see how far" in failures(postgresql(settings()))[0]


def test_a_database_without_migrations_fails(settings, postgres: Postgres, fresh_urls):
    empty = postgres.database()
    with psycopg.connect(empty.superuser_url, autocommit=True) as connection:
        connection.execute(sql.SQL("GRANT ALL ON SCHEMA public TO clientforge_owner"))

    def at(url: str) -> str:
        return f"{url.rsplit('/', 1)[0]}/{empty.name}"

    found = postgresql(
        settings(
            database_url=at(fresh_urls.app),
            database_owner_url=at(fresh_urls.owner),
            database_monitor_url=at(fresh_urls.monitor),
        )
    )
    (told,) = failures(found)
    assert "migrations are missing, first 0001-event-log" in told


@pytest.mark.parametrize("table", ["accounts", "keys.subject_keys", "events"])
def test_a_database_without_one_of_the_tables_fails(settings, fresh_urls, table):
    with psycopg.connect(fresh_urls.owner, autocommit=True) as owner:
        owner.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(*table.split("."))))
    assert f"there is no table {table}" in failures(postgresql(settings()))[0]


def test_a_database_of_a_newer_release_is_told_and_one_that_cannot_be_looked_at_too(settings, fresh_urls):
    assert results(postgresql(settings(database_owner_url=None)))["PostgreSQL migrations"] == "ok"
    with psycopg.connect(fresh_urls.owner, autocommit=True) as owner:
        owner.execute("INSERT INTO _yoyo_migration VALUES ('a hash', '9999-later', now())")
    assert results(postgresql(settings()))["PostgreSQL migrations"] == "warning"
    with psycopg.connect(fresh_urls.owner, autocommit=True) as owner:
        owner.execute("REVOKE SELECT ON _yoyo_migration FROM clientforge_app")
    assert "can't be seen by this role" in failures(postgresql(settings()))[0]


def test_a_table_whose_rows_are_everybodys_fails(settings, fresh_urls):
    with psycopg.connect(fresh_urls.owner, autocommit=True) as owner:
        owner.execute("ALTER TABLE principals NO FORCE ROW LEVEL SECURITY")
    assert failures(postgresql(settings())) == ["row-level security: principals: row-level security is not forced"]


@pytest.fixture
def own_redis() -> Iterator[EmbeddedRedis]:
    """A Redis of the test alone, where its account reaches it: its data would be kept elsewhere otherwise, and stay."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        with EmbeddedRedis(Path(name) / "redis") as server:
            yield server


def test_a_redis_as_it_should_be_is_well(own_redis):
    found = results(redis_server(own_redis.url()))
    assert found.pop("Redis latency") in ("ok", "warning")  # a busy machine is slow
    assert found == dict.fromkeys(("Redis connection", "Redis memory", "Redis persistence"), "ok")


def test_a_redis_that_evicts_fails(own_redis):
    with redis.Redis.from_url(own_redis.url()) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    (told,) = failures(redis_server(own_redis.url()))
    assert told.startswith("Redis memory: maxmemory-policy is allkeys-lru")


def test_a_redis_that_is_nearly_full_is_told(own_redis):
    with redis.Redis.from_url(own_redis.url()) as client:
        client.config_set("maxmemory", 1)
    assert results(redis_server(own_redis.url()))["Redis memory"] == "warning"


def test_a_redis_that_forgets_is_told(own_redis):
    with redis.Redis.from_url(own_redis.url()) as client:
        client.config_set("appendonly", "no")
        assert "restart forgets" in next(x.found for x in redis_server(own_redis.url()) if "persist" in x.check)
        client.config_set("save", "3600 1")
        assert "snapshots only" in next(x.found for x in redis_server(own_redis.url()) if "persist" in x.check)


def test_a_redis_that_cannot_write_to_disk_fails(own_redis):
    with redis.Redis.from_url(own_redis.url()) as client:
        client.config_set("dbfilename", "there")
        Path(client.config_get("dir")["dir"], "there").mkdir()
        client.set("key", "value")
        client.bgsave()
        deadline = time.monotonic() + 10
        while client.info("persistence")["rdb_last_bgsave_status"] == "ok":
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert failures(redis_server(own_redis.url())) == ["Redis persistence: rdb_last_bgsave_status is err"]


def test_a_slow_redis_is_told(own_redis, monkeypatch):
    monkeypatch.setattr("infrastructure.checks.redis._SLOW_MS", 0.0)
    assert results(redis_server(own_redis.url()))["Redis latency"] == "warning"


@pytest.fixture
def mongo_settings(settings, mongodb_url) -> Settings:
    """Settings with a database in MongoDB of the test alone."""
    return settings(mongodb_url=f"{mongodb_url.rstrip('/')}/checks_{secrets.token_hex(4)}")


def indexed(found: Settings) -> None:
    """Makes collection and indexes, as the first event does."""
    assert found.mongodb_url is not None
    trail = MongoTrail(found.mongodb_url.get_secret_value())
    trail.write(uuid7(), 1, [])
    trail.close()


def fed(urls: DatabaseUrls, projection: str) -> Any:
    """A tenant whose projection was fed, by its checkpoint."""
    tenant = uuid7()
    with psycopg.connect(urls.superuser, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO projection_checkpoints (tenant_id, projection, generation, position, live)"
            " VALUES (%s, %s, 2, 3, true)",
            (tenant, projection),
        )
    return tenant


def test_a_mongodb_as_it_should_be_is_well(mongo_settings):
    indexed(mongo_settings)
    found = results(mongodb(mongo_settings))
    assert found == dict.fromkeys(("MongoDB connection", "MongoDB collections", "MongoDB indexes"), "ok")


def test_a_dropped_index_fails(mongo_settings):
    indexed(mongo_settings)
    with MongoClient[Any](mongo_settings.mongodb_url.get_secret_value()) as client:
        client.get_default_database()["audit_logs"].drop_index([("tenant", 1), ("generation", 1), ("position", 1)])
    assert failures(mongodb(mongo_settings)) == ["MongoDB indexes: missing: tenant, generation, position"]


def test_a_collection_that_is_gone_fails_and_one_that_is_not_there_yet_is_told(mongo_settings, fresh_urls):
    assert results(mongodb(mongo_settings))["MongoDB collections"] == "warning"
    fed(fresh_urls, "audit")
    assert "audit_logs is missing, though the trail of 1 tenants" in failures(mongodb(mongo_settings))[0]


def test_stores_that_postgresql_stands_for_are_well(settings):
    assert results([*mongodb(settings()), *elasticsearch(settings())]) == {"MongoDB": "ok", "Elasticsearch": "ok"}


@pytest.fixture
def searched(settings, elasticsearch_url, fresh_urls) -> Iterator[tuple[Settings, Any, Elasticsearch]]:
    """Settings, a tenant whose search is published, and a client of the cluster."""
    prefix = f"checks-{secrets.token_hex(4)}"
    tenant = fed(fresh_urls, "search")
    index = ElasticsearchIndex(elasticsearch_url, prefix=prefix)
    index.publish(tenant, 2)
    index.close()
    with Elasticsearch(elasticsearch_url) as client:
        yield settings(elasticsearch_url=elasticsearch_url, elasticsearch_prefix=prefix), tenant, client
        client.indices.delete(index=",".join(client.indices.get(index=f"{prefix}-*").body))


def test_an_elasticsearch_as_it_should_be_is_well(searched):
    found = results(elasticsearch(searched[0]))
    assert found.pop("Elasticsearch health") in ("ok", "warning")  # other tests' indices may be without their copies
    assert found == {"Elasticsearch templates": "ok", "Elasticsearch aliases": "ok"}


def test_a_dropped_alias_fails(searched):
    found, tenant, client = searched
    alias = alias_name(found.elasticsearch_prefix, "contact", tenant)
    client.indices.delete_alias(index=index_name(found.elasticsearch_prefix, "contact", 2), name=alias)
    assert failures(elasticsearch(found)) == [f"Elasticsearch aliases: 1 flaws: {alias} is missing"]


@pytest.mark.parametrize(
    "loose",
    [{}, {"filter": {"exists": {"field": "tenant_id"}}}, {"filter": {"terms": {"tenant_id": ["a", "b"]}}}],
    ids=["none", "any", "several"],
)
def test_an_alias_that_shows_others_fails(searched, loose):
    found, tenant, client = searched
    alias = alias_name(found.elasticsearch_prefix, "contact", tenant)
    index = index_name(found.elasticsearch_prefix, "contact", 2)
    client.indices.put_alias(index=index, name=alias, routing=str(tenant), **loose)
    assert failures(elasticsearch(found)) == [f"Elasticsearch aliases: 1 flaws: {alias} isn't its tenant's alone"]


def test_a_dropped_template_fails(searched):
    found, _, client = searched
    client.indices.delete_index_template(name=f"{found.elasticsearch_prefix}-deals")
    assert failures(elasticsearch(found)) == [f"Elasticsearch templates: missing: {found.elasticsearch_prefix}-deals"]


def test_a_cluster_that_is_red_fails(settings):
    told = b'{"status": "red", "number_of_nodes": 2, "version": {"number": "9.0.0"}, "index_templates": []}'
    with answering(200, told) as url:
        assert "is red" in failures(elasticsearch(settings(elasticsearch_url=url)))[0]


def test_a_server_that_refuses_fails(settings):
    with answering(503) as url:
        assert "doesn't answer as it should" in failures(elasticsearch(settings(elasticsearch_url=url)))[0]


STORES: dict[str, Callable[[Callable[..., Settings], str], list[Finding]]] = {
    "PostgreSQL": lambda made, at: postgresql(made(database_url=f"postgresql://app:jTq4Lz0w@{at}/x")),
    "Redis": lambda made, at: redis_server(f"redis://:jTq4Lz0w@{at}/0"),
    "MongoDB": lambda made, at: mongodb(made(mongodb_url=f"mongodb://app:jTq4Lz0w@{at}/x")),
    "Elasticsearch": lambda made, at: elasticsearch(made(elasticsearch_url=f"http://app:jTq4Lz0w@{at}")),
}


@pytest.mark.parametrize("store", STORES)
def test_a_store_that_is_dead_fails_at_once_and_one_that_never_answers_within_seconds(settings, store):
    with black_hole() as silent:
        for at in (closed_port(), silent):
            started = time.monotonic()
            (told,) = failures(STORES[store](settings, at))
            assert time.monotonic() - started < PATIENCE
            assert told.startswith(store)
            assert at.split(":")[1] in told
            assert "jTq4Lz0w" not in told
