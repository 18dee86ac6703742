-- A second factor of users who want one, and limits of an API key's own.

-- The secret is sealed under its user's data key. Until a code has confirmed it, the factor is asked of nobody. A code
-- counts only for a step of 30 seconds (RFC 6238) behind the last one that was used.
CREATE TABLE second_factors (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    secret bytea NOT NULL,
    begun_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    last_step bigint,
    PRIMARY KEY (tenant_id, user_id)
);

-- What lets a user in whose device is gone: each code once, by its row's removal. Only its hash is kept.
CREATE TABLE recovery_codes (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (tenant_id, user_id, hash)
);

-- By kind of operation, as texts such as "100 per hour"; a kind that isn't there has no limit of the key's own.
ALTER TABLE api_keys ADD COLUMN rate_limits jsonb NOT NULL DEFAULT '{}';

ALTER TABLE second_factors ENABLE ROW LEVEL SECURITY;
ALTER TABLE second_factors FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON second_factors TO clientforge_app
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
ALTER TABLE recovery_codes ENABLE ROW LEVEL SECURITY;
ALTER TABLE recovery_codes FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON recovery_codes TO clientforge_app
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON second_factors TO clientforge_app;
GRANT SELECT, INSERT, DELETE ON recovery_codes TO clientforge_app;
