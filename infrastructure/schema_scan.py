"""What keeps tenants apart in the database, looked up in its catalogue: in every schema, whoever made what is there."""

import psycopg

from infrastructure.findings import Finding, Result, ok, skipped
from infrastructure.migrate import APP, MONITOR

_CHECK = "row-level security"
_MONITORED = ["tenant_heads", "projection_checkpoints"]
"""What the monitor's role reads of all tenants."""
_TIMES = ["tenant_id", "position", "recorded_at"]
"""What it reads of their events."""
_BOUND = "(tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)"
"""What every other policy says, as PostgreSQL prints it."""


def row_level_security(dsn: str) -> list[Finding]:
    """Tables that row-level security doesn't cover or whose policies let more through than the transaction's tenant,
    rights beyond those of the migrations, and functions and views that run with their owner's rights."""
    asked = {"app": APP, "monitor": MONITOR, "monitored": _MONITORED, "times": _TIMES, "bound": _BOUND}
    try:
        with psycopg.connect(dsn, connect_timeout=5) as connection:
            loose = connection.execute(_LOOSE, asked).fetchall()
    except psycopg.OperationalError as error:
        return [skipped(_CHECK, f"the database could not be asked: {type(error).__name__}")]
    return [
        Finding(check=_CHECK, result=Result.FAILED, found=f"{what}: {why}", todo="mend it by a migration")
        for what, why in loose
    ] or [ok(_CHECK, "forced on every table of tenants, and nobody has a right too many")]


_LOOSE = """
WITH here AS (
    SELECT oid FROM pg_namespace WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'
), tables AS (
    SELECT c.oid, c.relname, c.relowner, c.relacl, c.relrowsecurity AND c.relforcerowsecurity AS forced,
           EXISTS (SELECT FROM pg_attribute a
                   WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped) AS of_tenants
    FROM pg_class c JOIN here ON here.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'f')
), rights AS (
    SELECT t.oid, t.relname, given.attname, t.of_tenants, given.privilege_type AS privilege,
           CASE WHEN given.grantee = 0 THEN 'everybody' ELSE pg_get_userbyid(given.grantee) END AS who
    FROM tables t, LATERAL (
        SELECT NULL AS attname, * FROM aclexplode(t.relacl)
        UNION SELECT a.attname, e.* FROM pg_attribute a, aclexplode(a.attacl) e WHERE a.attrelid = t.oid
    ) given
    WHERE given.grantee <> t.relowner
)
SELECT oid::regclass::text AS what, 'row-level security is not forced' AS why
FROM tables WHERE of_tenants AND NOT forced
UNION ALL
SELECT oid::regclass::text, 'no policy'
FROM tables t WHERE of_tenants AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = t.oid)
UNION ALL
SELECT DISTINCT oid::regclass::text, 'has no tenant_id, and is used by ' || who
FROM rights
WHERE NOT of_tenants
  AND NOT (relname = '_yoyo_migration' AND privilege = 'SELECT' AND who IN (%(app)s, %(monitor)s))
UNION ALL
SELECT t.oid::regclass::text, 'policy ' || p.policyname || ' lets through more than the tenant of the transaction'
FROM pg_policies p JOIN tables t ON t.oid = format('%%I.%%I', p.schemaname, p.tablename)::regclass
WHERE p.permissive = 'PERMISSIVE'
  AND NOT (p.roles = ARRAY[%(monitor)s::name] AND p.cmd = 'SELECT'
           AND p.tablename = ANY (%(monitored)s || ARRAY['events']))
  AND NOT (p.roles = ARRAY[%(app)s::name]
           AND coalesce(p.qual, %(bound)s) = %(bound)s AND coalesce(p.with_check, %(bound)s) = %(bound)s)
UNION ALL
SELECT DISTINCT oid::regclass::text, who || ' may ' || privilege
FROM rights
WHERE of_tenants AND NOT CASE who
    WHEN %(app)s THEN privilege IN ('SELECT', 'INSERT')
                      OR privilege IN ('UPDATE', 'DELETE') AND relname <> 'events'
    WHEN %(monitor)s THEN privilege = 'SELECT' AND (
        relname = ANY (%(monitored)s) OR relname = 'events' AND coalesce(attname = ANY (%(times)s), false))
    ELSE false END
UNION ALL
SELECT p.oid::regprocedure::text, 'runs with its owner''s rights'
FROM pg_proc p JOIN here ON here.oid = p.pronamespace WHERE p.prosecdef
UNION ALL
SELECT c.oid::regclass::text, 'reads with its owner''s rights'
FROM pg_class c JOIN here ON here.oid = c.relnamespace
WHERE c.relkind = 'm' OR c.relkind = 'v' AND NOT coalesce(c.reloptions::text LIKE '%%security_invoker=true%%', false)
ORDER BY what, why
"""
