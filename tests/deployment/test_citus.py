"""deploy/citus/distribute.sql against the tables and functions that a migrated database has.

No Citus runs here: the script's calls are recorded by functions of the same names, on real tables and functions.
"""

import psycopg
import pytest

from tests.deployment.compose import DEPLOY

RECORDING = """
CREATE TABLE distributed_tables (name text, by text, beside text);
CREATE TABLE distributed_functions (name text, by text, beside text, delegated boolean);
CREATE FUNCTION create_distributed_table(
    table_name regclass, distribution_column text, colocate_with text DEFAULT NULL, shard_count int DEFAULT NULL
) RETURNS void LANGUAGE sql BEGIN ATOMIC
    INSERT INTO distributed_tables VALUES ($1::text, $2, $3);
END;
CREATE FUNCTION create_distributed_function(
    function_name regprocedure, distribution_arg_name text DEFAULT NULL, colocate_with text DEFAULT NULL,
    force_delegation boolean DEFAULT NULL
) RETURNS void LANGUAGE sql BEGIN ATOMIC
    INSERT INTO distributed_functions VALUES ($1::oid::regproc::text, $2, $3, $4);
END;
"""


@pytest.fixture
def distributed(fresh_urls):
    """A connection to a database on which the script was run."""
    with psycopg.connect(fresh_urls.superuser, autocommit=True) as connection:
        connection.execute(RECORDING)
        connection.execute((DEPLOY / "citus" / "distribute.sql").read_text())
        yield connection


def test_every_table_of_tenants_is_distributed_by_tenant_beside_the_heads(distributed):
    of_tenants = distributed.execute(
        """SELECT c.oid::regclass::text FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
        WHERE c.relkind = 'r'"""
    ).fetchall()
    told = distributed.execute("SELECT name, by, beside FROM distributed_tables").fetchall()
    assert {name for name, _, _ in told} == {name for (name,) in of_tenants}
    assert len(told) == len(of_tenants)
    assert {by for _, by, _ in told} == {"tenant_id"}
    assert told[0] == ("tenant_heads", "tenant_id", None)
    assert {beside for _, _, beside in told[1:]} == {"tenant_heads"}


def test_every_function_is_distributed_and_what_takes_a_tenant_to_use_its_rows_is_delegated(distributed):
    ours = distributed.execute(
        "SELECT oid::regproc::text, proargnames[1] FROM pg_proc WHERE pronamespace = 'public'::regnamespace "
        "AND proname NOT LIKE 'create\\_distributed\\_%'"
    ).fetchall()
    told = distributed.execute("SELECT name, by, beside, delegated FROM distributed_functions").fetchall()
    assert {name for name, *_ in told} == {name for name, _ in ours}
    wanted = {name for name, first in ours if first == "p_tenant"}
    assert {"use_tenant", "append_event", "append_events"} <= wanted
    assert {name for name, *how in told if how == ["p_tenant", "tenant_heads", True]} == wanted
