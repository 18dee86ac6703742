"""The tables of the relational read models, as the database's own catalogue describes them."""

import psycopg
import pytest
from psycopg.rows import dict_row

from projections.catalogue import RELATIONAL

TABLES = sorted({table for projection in RELATIONAL for table in projection.tables})


@pytest.fixture(params=TABLES)
def table(request) -> str:
    return str(request.param)


@pytest.fixture
def catalogue(urls):
    with psycopg.connect(urls.superuser, autocommit=True, row_factory=dict_row) as connection:
        yield connection


def test_row_level_security_is_forced(catalogue, table):
    row = catalogue.execute(
        "SELECT relrowsecurity, relforcerowsecurity, c.oid,"
        " (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid AND p.polqual IS NOT NULL"
        "  AND p.polwithcheck IS NOT NULL) AS policies"
        " FROM pg_class c WHERE c.oid = %s::regclass",
        (table,),
    ).fetchone()
    assert (row["relrowsecurity"], row["relforcerowsecurity"], row["policies"]) == (True, True, 1)


def test_every_key_begins_with_tenant_and_generation(catalogue, table):
    keys = catalogue.execute(
        "SELECT array(SELECT a.attname::text FROM unnest(i.indkey::int[]) WITH ORDINALITY AS k (number, place)"
        " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number ORDER BY k.place) AS columns"
        " FROM pg_index i WHERE i.indrelid = %s::regclass",
        (table,),
    ).fetchall()
    assert keys
    assert all(key["columns"][:2] == ["tenant_id", "generation"] for key in keys)


def test_nothing_stands_in_the_way_of_distributing_a_table(catalogue, table):
    row = catalogue.execute(
        "SELECT (SELECT count(*) FROM pg_constraint WHERE conrelid = %(table)s::regclass AND contype = 'f') AS foreign,"
        " (SELECT count(*) FROM pg_trigger WHERE tgrelid = %(table)s::regclass) AS triggers,"
        " (SELECT count(*) FROM pg_attrdef WHERE adrelid = %(table)s::regclass) AS defaults",
        {"table": table},
    ).fetchone()
    assert (row["foreign"], row["triggers"], row["defaults"]) == (0, 0, 0)


def test_the_application_may_fill_and_empty_a_table_and_nothing_else(catalogue, table):
    granted = catalogue.execute(
        "SELECT grantee, array_agg(privilege_type::text ORDER BY privilege_type) AS privileges"
        " FROM information_schema.role_table_grants WHERE table_name = %s AND grantee <> 'clientforge_owner'"
        " GROUP BY grantee",
        (table,),
    ).fetchall()
    assert granted == [{"grantee": "clientforge_app", "privileges": ["DELETE", "INSERT", "SELECT", "UPDATE"]}]
