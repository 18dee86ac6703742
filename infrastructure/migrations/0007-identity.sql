-- Sessions that a person can recognise and end, log-ins that fail, and a limit to what users write into the journal.

-- A refresh token's successor is made of it and of the salt, so that asking twice within a moment gives the same one.
-- All tokens of a session have a half in common, whose hash tells an old one from one that was made up.
-- The stamp is that of the user's rights when they logged in: a session is over when it is another.
-- The address is shortened to its network: nobody can be traced by it.
ALTER TABLE sessions
    ADD COLUMN family_hash bytea,
    ADD COLUMN previous_hash bytea,
    ADD COLUMN salt bytea,
    ADD COLUMN used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ADD COLUMN stamp integer,
    ADD COLUMN network text,
    ADD COLUMN agent text;
-- Who is logged in stays so.
UPDATE sessions s SET used_at = s.started_at, stamp = p.stamp
FROM principals p WHERE p.tenant_id = s.tenant_id AND p.user_id = s.user_id;
DELETE FROM sessions WHERE stamp IS NULL;
ALTER TABLE sessions ALTER COLUMN stamp SET NOT NULL, ALTER COLUMN used_at DROP DEFAULT;

-- Failed log-ins in a row since `since`; of these `untold` are in no event yet. The user with id 0 stands for all whom
-- nobody knows, so that a wrong address costs what a wrong password costs.
CREATE TABLE log_in_attempts (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    failures integer NOT NULL,
    untold integer NOT NULL,
    since timestamptz NOT NULL,
    locked_until timestamptz,
    PRIMARY KEY (tenant_id, user_id)
);

-- How many events of a kind a user has caused in an hour, how many more were left out, and how many in the hour before.
CREATE TABLE security_quotas (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    kind text NOT NULL,
    hour timestamptz NOT NULL,
    events integer NOT NULL,
    dropped integer NOT NULL,
    missed integer NOT NULL,
    PRIMARY KEY (tenant_id, user_id, kind)
);

ALTER TABLE log_in_attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE log_in_attempts FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON log_in_attempts TO clientforge_app
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
ALTER TABLE security_quotas ENABLE ROW LEVEL SECURITY;
ALTER TABLE security_quotas FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON security_quotas TO clientforge_app
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON log_in_attempts TO clientforge_app;
GRANT SELECT, INSERT, UPDATE ON security_quotas TO clientforge_app;
