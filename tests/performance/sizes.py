"""`python -m tests.performance.sizes [CONTACTS]`: how many bytes a contact takes in each store, after a real import.

docs/scaling.md reckons from what it prints. It is no gate.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import bson
import httpx
import psycopg
import pymongo

from tests.fixtures import PASSWORDS, copied, prepare_template
from tests.journeys.system import environment, running
from tests.performance.populace import write_contacts
from tests.services.session import ServiceSession

CONTACTS = 20_000
TENANT = "measured"

_TABLES = """
SELECT c.oid::regclass::text, pg_total_relation_size(c.oid), pg_indexes_size(c.oid) FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped WHERE c.relkind = 'r'
"""


def main() -> int:
    """Imports and measures."""
    contacts = int(sys.argv[1]) if len(sys.argv) > 1 else CONTACTS
    with ServiceSession() as services, TemporaryDirectory() as name:
        superuser = services.postgres.superuser_url
        urls = copied(superuser, prepare_template(superuser, PASSWORDS))
        variables = environment(urls, services.redis_url, services.elasticsearch_url, services.mongodb_url)
        place = Path(name)
        with running(variables, place) as system:
            system.make_tenant("Measured Inc.", TENANT)
            system.wait_until_projected(60)
            before = _tables(urls.superuser)
            file, map = write_contacts(place, TENANT, 0, contacts, 0)
            done = system.run("import", "contacts", str(file), "--map", str(map), "--tenant", TENANT)
            if done.returncode:
                raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
            system.wait_until_projected(600)
            _print_tables(_tables(urls.superuser), before, contacts)
            stored, documents = _index(variables)
            print(f"Elasticsearch: {stored / documents:,.0f} bytes for each of {documents:,} documents, in one copy")
            print(f"MongoDB: {_document_bytes(variables):,.0f} bytes of BSON per event of the trail, uncompressed")
        with psycopg.connect(superuser, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{urls.app.rsplit("/", 1)[1]}" WITH (FORCE)')
    return 0


def _tables(superuser_url: str) -> Mapping[str, tuple[int, int]]:
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute("VACUUM")
        return {name: (total, indexes) for name, total, indexes in connection.execute(_TABLES).fetchall()}


def _print_tables(after: Mapping[str, tuple[int, int]], before: Mapping[str, tuple[int, int]], contacts: int) -> None:
    grown = {name: tuple(b - a for a, b in zip(before[name], told, strict=True)) for name, told in after.items()}
    for name, (total, indexes) in sorted(grown.items(), key=lambda each: -each[1][0]):
        if total > contacts:
            told = f"{total / contacts:,.0f} bytes per contact, {indexes / contacts:,.0f} of it indexes"
            print(f"PostgreSQL, {name}: {told}")
    print(f"PostgreSQL in all: {sum(total for total, _ in grown.values()) / contacts:,.0f} bytes per contact")


def _index(variables: Mapping[str, str]) -> tuple[int, int]:
    """What the system's own indices take on disk without what was replaced, and how many documents they hold."""
    url, names = variables["ELASTICSEARCH_URL"], f"{variables['ELASTICSEARCH_PREFIX']}*"
    for step in ("_forcemerge?max_num_segments=1", "_flush"):
        httpx.post(f"{url}/{names}/{step}", timeout=300).raise_for_status()
    told = httpx.get(f"{url}/{names}/_stats/store,docs").raise_for_status().json()["_all"]["primaries"]
    return int(told["store"]["size_in_bytes"]), int(told["docs"]["count"])


def _document_bytes(variables: Mapping[str, str]) -> float:
    """What the trail's documents take as BSON, on average of a sample: the tests' stand-in stores them otherwise."""
    client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(variables["MONGODB_URL"])
    with client:
        database = client.get_default_database()
        found = [
            len(bson.encode(document))
            for name in database.list_collection_names()
            for document in database[name].find({"type": {"$exists": True}}).limit(2000)
        ]
    return sum(found) / len(found)


if __name__ == "__main__":
    sys.exit(main())
