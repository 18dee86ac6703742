-- Spreads a ClientForge over a Citus cluster (13 or newer) by tenant: all of a tenant's rows lie on one node.
-- Run it once on the coordinator, as a superuser, after CREATE EXTENSION citus, citus_add_node for each worker, the
-- three roles (Citus gives them to the workers, with LOGIN) and `clientforge db migrate`, before the first event.
-- psql --set ON_ERROR_STOP=1 --single-transaction --file deploy/citus/distribute.sql
-- There are no reference tables: whatever has rows has them by tenant. yoyo's own tables stay on the coordinator.

-- A tenant's shard may be split off and moved by itself: SELECT isolate_tenant_to_new_shard('tenant_heads', ID, 'CASCADE').
SELECT create_distributed_table('tenant_heads', 'tenant_id', shard_count := 64);

-- The log, and what a write is judged by.
SELECT create_distributed_table('events', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('claims', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('idempotency_keys', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('principals', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('import_sources', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('keys.subject_keys', 'tenant_id', colocate_with := 'tenant_heads');

-- Projections and read models.
SELECT create_distributed_table('projection_checkpoints', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('projection_failures', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('search_documents', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('search_generations', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('audit_logs', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('accounts', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('contacts', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('products', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('users', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('pipelines', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('deals', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('deal_periods', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('deal_totals', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('timeline_events', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('timelines', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('files', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('storage_use', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('stored_files', 'tenant_id', colocate_with := 'tenant_heads');

-- Credentials and what is counted about them.
SELECT create_distributed_table('credentials', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('sessions', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('log_in_attempts', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('security_quotas', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('api_keys', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('mailed_tokens', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('second_factors', 'tenant_id', colocate_with := 'tenant_heads');
SELECT create_distributed_table('recovery_codes', 'tenant_id', colocate_with := 'tenant_heads');

-- What takes a tenant runs on that tenant's node. Without force_delegation the setting that row-level security reads
-- stays on the coordinator, and every query finds nothing. chain_link reads no table, so it only has to be everywhere.
SELECT create_distributed_function(
    'chain_link(bytea, uuid, bigint, text, integer, text, bytea, bytea, timestamptz, timestamptz)'
);
SELECT create_distributed_function(
    'use_tenant(uuid)', 'p_tenant', colocate_with := 'tenant_heads', force_delegation := true
);
SELECT create_distributed_function(
    'append_event(uuid, bytea, text, integer, text, bytea, timestamptz, uuid, bytea)',
    'p_tenant', colocate_with := 'tenant_heads', force_delegation := true
);
SELECT create_distributed_function(
    'append_events(uuid, bytea, text[], integer[], text[], bytea[], timestamptz[], text[], integer[], text[], bytea[], '
    'text[], text[], bytea[], text[], uuid[], bytea[], jsonb, integer, text[], text[], text, text, bytea, jsonb)',
    'p_tenant', colocate_with := 'tenant_heads', force_delegation := true
);
