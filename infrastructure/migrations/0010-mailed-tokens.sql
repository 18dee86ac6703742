-- What links in mails open: one per user and kind (reset, verification, invitation), so that a newer one takes the
-- place of the one before. Only its hash is kept. A row is there from when a mail is asked for; it gets its token when
-- the mail goes out. It is used by being deleted.
CREATE TABLE mailed_tokens (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    kind text NOT NULL,
    -- A mail is still to be sent; and until when somebody is at it.
    waiting boolean NOT NULL,
    taken_until timestamptz,
    token_hash bytea,
    expires_at timestamptz,
    -- The version of the user that it was mailed to: what has happened to them since may make it void.
    user_version integer,
    PRIMARY KEY (tenant_id, user_id, kind)
);

ALTER TABLE mailed_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE mailed_tokens FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON mailed_tokens TO clientforge_app
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON mailed_tokens TO clientforge_app;
