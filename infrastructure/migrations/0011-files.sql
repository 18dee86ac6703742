-- Files: the read model, and how much each tenant has stored.

CREATE TABLE files (
    tenant_id uuid NOT NULL,
    generation integer NOT NULL,
    id uuid NOT NULL,
    position bigint NOT NULL,
    archived boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    name_key text COLLATE "C",
    entity text COLLATE "C" NOT NULL,
    record uuid NOT NULL,
    media_type text COLLATE "C" NOT NULL,
    size bigint NOT NULL,
    document jsonb NOT NULL,
    PRIMARY KEY (tenant_id, generation, id)
);
CREATE INDEX files_record ON files (tenant_id, generation, record, created_at, id);
CREATE INDEX files_created ON files (tenant_id, generation, created_at, id);
CREATE INDEX files_name ON files (tenant_id, generation, name_key, id);

-- The bytes of all files of a tenant, and each file's. Counted before its event is appended, so that no upload passes
-- the limit beside another one; what was counted and never appended, a sweep takes back.
CREATE TABLE storage_use (
    tenant_id uuid NOT NULL,
    bytes bigint NOT NULL CHECK (bytes >= 0),
    PRIMARY KEY (tenant_id)
);
CREATE TABLE stored_files (
    tenant_id uuid NOT NULL,
    file_id uuid NOT NULL,
    entity text NOT NULL,
    record_id uuid NOT NULL,
    bytes bigint NOT NULL CHECK (bytes >= 0),
    PRIMARY KEY (tenant_id, file_id)
);
CREATE INDEX stored_files_record ON stored_files (tenant_id, record_id);

ALTER TABLE files ENABLE ROW LEVEL SECURITY;
ALTER TABLE files FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON files TO clientforge_app
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
ALTER TABLE storage_use ENABLE ROW LEVEL SECURITY;
ALTER TABLE storage_use FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON storage_use TO clientforge_app
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
ALTER TABLE stored_files ENABLE ROW LEVEL SECURITY;
ALTER TABLE stored_files FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON stored_files TO clientforge_app
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON files TO clientforge_app;
GRANT SELECT, INSERT, UPDATE ON storage_use TO clientforge_app;
GRANT SELECT, INSERT, DELETE ON stored_files TO clientforge_app;
