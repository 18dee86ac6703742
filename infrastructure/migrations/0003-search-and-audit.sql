-- Search and the audit trail, for an installation without Elasticsearch and MongoDB.
-- Written for PostgreSQL 15+, and so that it can be distributed by tenant_id.

-- No index on `words`: `@@` is not leakproof, so below row-level security the planner never uses one. A search reads
-- the rows of its tenant by the primary key instead, at some 0.4 ms per thousand.
CREATE TABLE search_documents (
    tenant_id uuid NOT NULL,
    generation integer NOT NULL,
    entity text NOT NULL,
    id uuid NOT NULL,
    position bigint NOT NULL,
    title text NOT NULL,
    title_key text COLLATE "C" NOT NULL,
    texts jsonb NOT NULL,
    fields jsonb NOT NULL,
    words tsvector NOT NULL,
    archived boolean NOT NULL,
    PRIMARY KEY (tenant_id, generation, entity, id)
);

-- The generation that a tenant's searches read.
CREATE TABLE search_generations (
    tenant_id uuid PRIMARY KEY,
    generation integer NOT NULL
);

-- `document` is json, not jsonb: it is kept and read as a whole, byte for byte.
CREATE TABLE audit_logs (
    tenant_id uuid NOT NULL,
    generation integer NOT NULL,
    position bigint NOT NULL,
    entity text NOT NULL,
    stream text NOT NULL,
    actor text NOT NULL,
    type text NOT NULL,
    recorded_at timestamptz NOT NULL,
    document json NOT NULL,
    PRIMARY KEY (tenant_id, generation, position)
);
CREATE INDEX audit_logs_stream ON audit_logs (tenant_id, generation, stream, position);
CREATE INDEX audit_logs_entity ON audit_logs (tenant_id, generation, entity, position);
CREATE INDEX audit_logs_actor ON audit_logs (tenant_id, generation, actor, position);
CREATE INDEX audit_logs_type ON audit_logs (tenant_id, generation, type, position);
CREATE INDEX audit_logs_recorded ON audit_logs (tenant_id, generation, recorded_at, position);

ALTER TABLE search_documents ENABLE ROW LEVEL SECURITY;
ALTER TABLE search_documents FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON search_documents TO clientforge_app
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
ALTER TABLE search_generations ENABLE ROW LEVEL SECURITY;
ALTER TABLE search_generations FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON search_generations TO clientforge_app
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
ALTER TABLE audit_logs ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_logs FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit_logs TO clientforge_app
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON search_documents TO clientforge_app;
GRANT SELECT, INSERT, UPDATE ON search_generations TO clientforge_app;
-- Deleted are generations that nobody reads any more; no document is ever altered.
GRANT SELECT, INSERT, DELETE ON audit_logs TO clientforge_app;
