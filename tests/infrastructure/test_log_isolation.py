"""The application's role, one tenant at a time: what it may not do, and what a connection must not keep."""

import psycopg
import pytest
from uuid_utils.compat import uuid7

from infrastructure.event_store import open_recorder
from infrastructure.postgres import Database, UnsafeRole
from tests.infrastructure.appends import a_stream, append, change

TABLES = (
    "tenant_heads",
    "events",
    "claims",
    "idempotency_keys",
    "principals",
    "import_sources",
    "keys.subject_keys",
)


@pytest.fixture
def connection(urls):
    with psycopg.connect(urls.app, autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET type = 'x'",
        "DELETE FROM events",
        "TRUNCATE events",
        "TRUNCATE tenant_heads",
        "DELETE FROM tenant_heads",
    ],
)
def test_the_application_cannot_change_or_remove_what_was_recorded(connection, store, tenant, statement):
    store.append(tenant, append(change(a_stream())))

    with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
        connection.execute("SELECT use_tenant(%s)", (tenant,))
        connection.execute(statement)

    assert store.head(tenant) == 1


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("left_behind", [False, True])
def test_a_forgotten_tenant_reads_nothing(connection, store, tenant, table, left_behind):
    store.append(tenant, append(change(a_stream())))
    if left_behind:
        with connection.transaction():
            connection.execute("SELECT use_tenant(%s)", (tenant,))
        assert connection.execute("SELECT current_setting('app.tenant_id', true)").fetchone() == ("",)

    assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


@pytest.mark.parametrize("left_behind", [False, True])
def test_a_forgotten_tenant_writes_nothing(connection, tenant, left_behind):
    if left_behind:
        with connection.transaction():
            connection.execute("SELECT use_tenant(%s)", (tenant,))

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("INSERT INTO claims VALUES (%s, 'purpose', 'hash', 'stream')", (tenant,))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("INSERT INTO tenant_heads VALUES (%s, 1, 'hash', now())", (tenant,))


def test_one_tenant_neither_reads_nor_writes_as_another(connection, store, tenant):
    store.append(tenant, append(change(a_stream())))

    with connection.transaction():
        connection.execute("SELECT use_tenant(%s)", (uuid7(),))
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute("INSERT INTO claims VALUES (%s, 'purpose', 'hash', 'stream')", (tenant,))


def test_a_pooled_connection_keeps_nothing_of_the_last_tenant(urls, store, tenant):
    database = Database(urls.app, connections=1)
    store.append(tenant, append(change(a_stream())))

    assert database.read(tenant, "SELECT position FROM tenant_heads WHERE tenant_id = %(tenant)s")
    rows = database.run(lambda connection: connection.execute("SELECT count(*) AS seen FROM events").fetchall())

    assert rows == [{"seen": 0}]
    database.close()


def test_through_pgbouncer_no_statement_sees_another_clients_tenant(urls, pgbouncer, store):
    pooled = pgbouncer(urls.app, default_pool_size=2).url
    tenants = [uuid7() for _ in range(8)]
    databases = [Database(pooled, connections=2) for _ in tenants]
    for number, tenant in enumerate(tenants):
        for _ in range(number + 1):
            store.append(tenant, append(change(a_stream())))

    for _ in range(20):
        for number, (tenant, database) in enumerate(zip(tenants, databases, strict=True)):
            rows = database.read(tenant, "SELECT count(*) AS events FROM events")
            assert rows == [{"events": number + 1}]
            with database.transaction(tenant) as transaction:
                assert transaction.execute("SELECT count(*) AS events FROM events") == [{"events": number + 1}]
            bare = database.run(
                lambda connection: connection.execute("SELECT count(*) AS events FROM events").fetchall()
            )
            assert bare == [{"events": 0}]
    assert open_recorder(pooled, tenants[3]).max_notification_id() == 4
    for database in databases:
        database.close()


@pytest.mark.parametrize("role", ["superuser", "owner"])
def test_a_superuser_or_owner_as_application_role_is_refused(urls, role):
    with pytest.raises(UnsafeRole, match="DATABASE_URL must name the application's role"):
        open_recorder(getattr(urls, role), uuid7())


def test_a_role_that_bypasses_row_level_security_is_refused(urls):
    with psycopg.connect(urls.superuser, autocommit=True) as connection:
        connection.execute("CREATE ROLE bypasser LOGIN BYPASSRLS PASSWORD 'bypasser'")
        name = connection.info.dbname
        connection.execute(f"GRANT CONNECT ON DATABASE {name} TO bypasser")
    url = urls.app.replace(urls.app.split("//")[1].split("@")[0], "bypasser:bypasser")
    try:
        with pytest.raises(UnsafeRole, match="BYPASSRLS"):
            open_recorder(url, uuid7())
    finally:
        with psycopg.connect(urls.superuser, autocommit=True) as connection:
            connection.execute("DROP OWNED BY bypasser")
            connection.execute("DROP ROLE bypasser")


def test_every_table_with_a_tenant_is_under_forced_row_level_security_and_keyed_by_it(urls):
    with psycopg.connect(urls.superuser) as connection:
        tables = connection.execute(
            """
            SELECT c.oid::regclass::text, c.relrowsecurity AND c.relforcerowsecurity,
                   EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
            WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('public', 'keys')
            """
        ).fetchall()
        keys = connection.execute(
            """
            SELECT i.indexrelid::regclass::text, a.attname
            FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
            WHERE i.indisunique AND n.nspname IN ('public', 'keys')
              AND EXISTS (SELECT FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attname = 'tenant_id')
            """
        ).fetchall()
        foreign = connection.execute("SELECT conname FROM pg_constraint WHERE contype = 'f'").fetchall()

    assert {name for name, _, _ in tables} >= set(TABLES)
    assert [name for name, forced, policy in tables if not (forced and policy)] == []
    assert [index for index, first in keys if first != "tenant_id"] == []
    assert foreign == []


def test_no_function_runs_with_its_owners_rights_and_no_view_reads_with_them(fresh_urls):
    with psycopg.connect(fresh_urls.superuser) as connection:
        definers = connection.execute(
            "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
            " WHERE n.nspname IN ('public', 'keys') AND p.prosecdef"
        ).fetchall()
        views = connection.execute(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname IN ('public', 'keys') AND c.relkind IN ('v', 'm')"
            " AND NOT coalesce(c.reloptions::text LIKE '%security_invoker=true%', false)"
        ).fetchall()

    assert definers == []
    assert views == []


def test_every_policy_is_bound_to_a_role_and_to_the_tenant_of_the_transaction(fresh_urls):
    with psycopg.connect(fresh_urls.superuser) as connection:
        policies = connection.execute(
            "SELECT tablename, policyname, roles::text[], cmd, qual, with_check FROM pg_policies"
        ).fetchall()

    bound = "(tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)"
    assert len(policies) > len(TABLES)
    for table, name, roles, command, reads, writes in policies:
        if roles == ["clientforge_monitor"]:
            assert (table, name, command) in {
                ("tenant_heads", "monitor", "SELECT"),
                ("projection_checkpoints", "monitor", "SELECT"),
                ("events", "monitor", "SELECT"),
            }
        else:
            assert (roles, command, reads, writes) == (["clientforge_app"], "ALL", bound, bound), (table, name)


def test_the_application_holds_no_right_beyond_its_work(fresh_urls):
    with psycopg.connect(fresh_urls.superuser) as connection:
        grants = connection.execute(
            "SELECT table_schema, table_name, grantee, privilege_type FROM information_schema.role_table_grants"
            " WHERE table_schema IN ('public', 'keys') AND grantee <> 'clientforge_owner'"
        ).fetchall()

    held: dict[str, set[str]] = {}
    for _, table, grantee, privilege in grants:
        assert grantee in ("clientforge_app", "clientforge_monitor"), (table, grantee)
        held.setdefault(f"{grantee} {table}", set()).add(privilege)
    assert held["clientforge_app events"] == {"SELECT", "INSERT"}
    assert held["clientforge_app tenant_heads"] == {"SELECT", "INSERT", "UPDATE"}
    assert set().union(*held.values()) == {"SELECT", "INSERT", "UPDATE", "DELETE"}
    monitored = {name: rights for name, rights in held.items() if name.startswith("clientforge_monitor")}
    assert monitored == {
        "clientforge_monitor tenant_heads": {"SELECT"},
        "clientforge_monitor projection_checkpoints": {"SELECT"},
        "clientforge_monitor _yoyo_migration": {"SELECT"},
    }
