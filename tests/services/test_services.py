"""The services that the tests rely on are what they say they are."""

import psycopg
import pymongo
import redis
from elasticsearch import Elasticsearch


def test_a_fresh_database_is_empty_and_alone(postgres):
    first, second = postgres.database(), postgres.database()
    with psycopg.connect(first.superuser_url) as connection:
        connection.execute("CREATE TABLE only_here ()")
    with psycopg.connect(second.superuser_url) as connection:
        assert connection.execute("SELECT to_regclass('only_here')").fetchone() == (None,)


def test_a_database_can_be_a_copy(postgres):
    first = postgres.database()
    with psycopg.connect(first.superuser_url) as connection:
        connection.execute("CREATE TABLE everywhere ()")
    with psycopg.connect(postgres.database(template=first.name).superuser_url) as connection:
        assert connection.execute("SELECT to_regclass('everywhere')").fetchone() == ("everywhere",)


def test_redis_is_a_real_server(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_elasticsearch_finds_what_was_indexed(elasticsearch_url):
    with Elasticsearch(elasticsearch_url) as client:
        client.index(
            index="services", id="1", document={"name": "Ada"}, refresh=True, version=7, version_type="external"
        )
        found = client.search(index="services", query={"fuzzy": {"name": "adda"}})
        assert [hit["_id"] for hit in found["hits"]["hits"]] == ["1"]
        client.indices.delete(index="services")


def test_mongodb_finds_what_was_inserted(mongodb_url):
    with pymongo.MongoClient(mongodb_url) as client:
        documents = client["services"]["documents"]
        documents.insert_many([{"_id": number, "even": number % 2 == 0} for number in range(200)], ordered=False)
        assert documents.count_documents({"even": True}) == 100
        client.drop_database("services")


def test_pgbouncer_gives_one_connection_to_many_clients(postgres, pgbouncer):
    pooled = pgbouncer(postgres.database().superuser_url, default_pool_size=1)
    numbers = set()
    for _ in range(3):
        with psycopg.connect(pooled.url, prepare_threshold=None) as connection:
            numbers.add(connection.execute("SELECT pg_backend_pid()").fetchone())
    assert len(numbers) == 1
