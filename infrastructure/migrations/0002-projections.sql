-- Where each projection of each tenant stands, and the events that it could not apply.

-- A generation is a full copy of a read model. The live one is read and kept up to date; a rebuild fills the next one;
-- one below the live one is retired and about to be deleted.
CREATE TABLE projection_checkpoints (
    tenant_id uuid NOT NULL,
    projection text NOT NULL,
    generation integer NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    live boolean NOT NULL,
    -- Whether readers of the store have been pointed to this generation; always true where they look here.
    published boolean NOT NULL DEFAULT true,
    -- Failures in a row at this position, of which kind, and when the next try is due.
    attempts integer NOT NULL DEFAULT 0,
    failure text,
    retry_at timestamptz,
    parked_at timestamptz,
    -- When it moved last; of one that stands still for a failure: since when.
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, projection, generation)
) WITH (fillfactor = 40);
CREATE UNIQUE INDEX projection_checkpoints_live ON projection_checkpoints (tenant_id, projection) WHERE live;

-- `error` is where it failed and how, never what the event says: messages of exceptions may quote personal data.
CREATE TABLE projection_failures (
    tenant_id uuid NOT NULL,
    projection text NOT NULL,
    generation integer NOT NULL,
    position bigint NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT now(),
    stream text NOT NULL,
    type text NOT NULL,
    error text NOT NULL,
    resolved_at timestamptz,
    how text CHECK (how IN ('retry', 'skip', 'rebuild')),
    by text,
    reason text,
    PRIMARY KEY (tenant_id, projection, generation, position, failed_at)
);

ALTER TABLE projection_checkpoints ENABLE ROW LEVEL SECURITY;
ALTER TABLE projection_checkpoints FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON projection_checkpoints TO clientforge_app
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
CREATE POLICY monitor ON projection_checkpoints FOR SELECT TO clientforge_monitor USING (true);
ALTER TABLE projection_failures ENABLE ROW LEVEL SECURITY;
ALTER TABLE projection_failures FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON projection_failures TO clientforge_app
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON projection_checkpoints TO clientforge_app;
GRANT SELECT, INSERT, UPDATE ON projection_failures TO clientforge_app;
GRANT SELECT ON projection_checkpoints TO clientforge_monitor;
