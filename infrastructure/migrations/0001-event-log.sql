-- The event log: one gapless, ordered, hash-chained log per tenant, and what an append updates with it.
-- Written for PostgreSQL 15+, and so that it can be distributed by tenant_id.

CREATE SCHEMA keys;
GRANT USAGE ON SCHEMA keys TO clientforge_app;

-- Whoever reads or writes begins with this; the setting ends with the transaction.
CREATE FUNCTION use_tenant(p_tenant uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.tenant_id', p_tenant::text, true);
END $$;

CREATE TABLE tenant_heads (
    tenant_id uuid PRIMARY KEY,
    position bigint NOT NULL,
    chain_hash bytea NOT NULL,
    recorded_at timestamptz NOT NULL
) WITH (fillfactor = 40);

CREATE TABLE events (
    tenant_id uuid NOT NULL,
    position bigint NOT NULL,
    stream text NOT NULL,
    version integer NOT NULL,
    type text NOT NULL,
    payload bytea NOT NULL,
    payload_hash bytea NOT NULL,
    metadata bytea NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    chain_hash bytea NOT NULL,
    PRIMARY KEY (tenant_id, position),
    UNIQUE (tenant_id, stream, version)
);

CREATE TABLE claims (
    tenant_id uuid NOT NULL,
    purpose text NOT NULL,
    value_hash bytea NOT NULL,
    stream text NOT NULL,
    PRIMARY KEY (tenant_id, purpose, value_hash)
);

CREATE TABLE idempotency_keys (
    tenant_id uuid NOT NULL,
    actor text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    outcome jsonb NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, actor, key)
);

CREATE TABLE principals (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role text NOT NULL,
    manager uuid,
    office text,
    active boolean NOT NULL,
    stamp integer NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);

-- What an import last read each record from: field -> keyed hash of the source text.
CREATE TABLE import_sources (
    tenant_id uuid NOT NULL,
    stream text NOT NULL,
    fields jsonb NOT NULL,
    PRIMARY KEY (tenant_id, stream)
);

-- Data keys, wrapped by the master key. An erased one leaves its row behind, without the key.
CREATE TABLE keys.subject_keys (
    tenant_id uuid NOT NULL,
    subject uuid NOT NULL,
    wrapped bytea,
    erased_at timestamptz,
    PRIMARY KEY (tenant_id, subject),
    CHECK ((wrapped IS NULL) = (erased_at IS NOT NULL))
);

ALTER TABLE tenant_heads ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant_heads FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenant_heads TO clientforge_app
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
CREATE POLICY monitor ON tenant_heads FOR SELECT TO clientforge_monitor USING (true);
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
ALTER TABLE events FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON events TO clientforge_app
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
ALTER TABLE claims ENABLE ROW LEVEL SECURITY;
ALTER TABLE claims FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON claims TO clientforge_app
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON idempotency_keys TO clientforge_app
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
ALTER TABLE principals ENABLE ROW LEVEL SECURITY;
ALTER TABLE principals FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON principals TO clientforge_app
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
ALTER TABLE import_sources ENABLE ROW LEVEL SECURITY;
ALTER TABLE import_sources FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON import_sources TO clientforge_app
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);
ALTER TABLE keys.subject_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE keys.subject_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON keys.subject_keys TO clientforge_app
    USING (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid);

GRANT SELECT, INSERT ON events TO clientforge_app;
GRANT SELECT, INSERT, UPDATE ON tenant_heads TO clientforge_app;
GRANT SELECT, INSERT, DELETE ON claims TO clientforge_app;
GRANT SELECT, INSERT, DELETE ON idempotency_keys TO clientforge_app;
GRANT SELECT, INSERT, UPDATE ON principals TO clientforge_app;
GRANT SELECT, INSERT, UPDATE ON import_sources TO clientforge_app;
GRANT SELECT, INSERT, UPDATE ON keys.subject_keys TO clientforge_app;
GRANT SELECT ON tenant_heads TO clientforge_monitor;

-- The link of one event: SHA-256 over the previous link and each stored field behind its length (four bytes).
-- An instant is microseconds since 2000-01-01, in eight bytes. STABLE, as convert_to is: so that it is inlined.
CREATE FUNCTION chain_link(
    p_previous bytea, p_tenant uuid, p_position bigint, p_stream text, p_version integer, p_type text,
    p_payload_hash bytea, p_metadata bytea, p_occurred_at timestamptz, p_recorded_at timestamptz
) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256(
    p_previous
    || '\x00000010'::bytea || uuid_send(p_tenant)
    || '\x00000008'::bytea || int8send(p_position)
    || int4send(octet_length(p_stream)) || convert_to(p_stream, 'UTF8')
    || '\x00000004'::bytea || int4send(p_version)
    || int4send(octet_length(p_type)) || convert_to(p_type, 'UTF8')
    || '\x00000020'::bytea || p_payload_hash
    || int4send(octet_length(p_metadata)) || p_metadata
    || '\x00000008'::bytea || timestamptz_send(p_occurred_at)
    || '\x00000008'::bytea || timestamptz_send(p_recorded_at)
);

-- Appends 1..n events of 1..m streams to a tenant's log: all of it or, with a typed conflict, nothing. Without events
-- it only keeps what else it is given, such as what an import has read.
--   CF001 a stream has this version   CF002 a guarded stream has moved   CF003 a claim is held
--   CF004 the idempotency key was used for another request               CF005 a subject has a key already
--   CF006 an event would have happened in the future                     CF007 the last active admin would be lost
--   CF008 more users would be active than may be
-- DETAIL is JSON; `index` counts from 0 within the array that the conflict comes from.
CREATE FUNCTION append_events(
    p_tenant uuid,
    p_metadata bytea,
    p_streams text[],
    p_versions integer[],
    p_types text[],
    p_payloads bytea[],
    p_occurred_at timestamptz[],
    p_guard_streams text[],
    p_guard_versions integer[],
    p_claim_purposes text[],
    p_claim_hashes bytea[],
    p_claim_streams text[],
    p_release_purposes text[],
    p_release_hashes bytea[],
    p_release_streams text[],
    p_subjects uuid[],
    p_wrapped_keys bytea[],
    p_principals jsonb,
    p_most_users integer,
    p_source_streams text[],
    p_sources text[],
    p_actor text,
    p_idempotency_key text,
    p_request_hash bytea,
    p_outcome jsonb,
    OUT last_position bigint,
    OUT recorded timestamptz,
    OUT replayed jsonb
) LANGUAGE plpgsql AS $$
DECLARE
    v_count integer := cardinality(p_streams);
    v_done integer;
    v_head tenant_heads;
    v_occurred timestamptz;
    v_payload_hash bytea;
    v_payload_hashes bytea[] := '{}';
    v_chain bytea;
    v_chains bytea[] := '{}';
    v_found record;
    v_has_admin boolean;
    v_setting text := set_config('app.tenant_id', p_tenant::text, true);
BEGIN
    SELECT * INTO v_head FROM tenant_heads WHERE tenant_id = p_tenant FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO tenant_heads VALUES (p_tenant, 0, sha256(uuid_send(p_tenant)), '-infinity') ON CONFLICT DO NOTHING;
        SELECT * INTO v_head FROM tenant_heads WHERE tenant_id = p_tenant FOR UPDATE;
    END IF;
    recorded := greatest(v_head.recorded_at, clock_timestamp());

    IF p_idempotency_key IS NOT NULL THEN
        SELECT request_hash, outcome INTO v_found FROM idempotency_keys
        WHERE tenant_id = p_tenant AND actor = p_actor AND key = p_idempotency_key;
        IF FOUND THEN
            IF v_found.request_hash IS DISTINCT FROM p_request_hash THEN
                RAISE EXCEPTION 'idempotency key used for another request' USING ERRCODE = 'CF004', DETAIL = '{}';
            END IF;
            last_position := (v_found.outcome ->> 'position')::bigint;
            replayed := v_found.outcome;
            RETURN;
        END IF;
    END IF;

    IF p_guard_streams IS NOT NULL THEN
        FOR i IN 1 .. cardinality(p_guard_streams) LOOP
            SELECT coalesce(max(version), 0) AS version INTO v_found FROM events
            WHERE tenant_id = p_tenant AND stream = p_guard_streams[i];
            IF v_found.version <> p_guard_versions[i] THEN
                RAISE EXCEPTION 'guarded stream % has moved', p_guard_streams[i] USING ERRCODE = 'CF002',
                    DETAIL = json_build_object('index', i - 1, 'stream', p_guard_streams[i],
                                               'expected', p_guard_versions[i], 'actual', v_found.version);
            END IF;
        END LOOP;
    END IF;

    IF p_release_purposes IS NOT NULL THEN
        DELETE FROM claims c USING unnest(p_release_purposes, p_release_hashes, p_release_streams) AS r (purpose, hash, stream)
        WHERE c.tenant_id = p_tenant AND c.purpose = r.purpose AND c.value_hash = r.hash AND c.stream = r.stream;
    END IF;
    IF p_claim_purposes IS NOT NULL THEN
        INSERT INTO claims (tenant_id, purpose, value_hash, stream)
        SELECT p_tenant, u.purpose, u.hash, u.stream
        FROM unnest(p_claim_purposes, p_claim_hashes, p_claim_streams) AS u (purpose, hash, stream)
        ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS v_done = ROW_COUNT;
        IF v_done < cardinality(p_claim_purposes) THEN
            SELECT u.number - 1 AS index, u.purpose, c.stream AS holder INTO v_found
            FROM unnest(p_claim_purposes, p_claim_hashes, p_claim_streams) WITH ORDINALITY AS u (purpose, hash, stream, number)
            JOIN claims c ON c.tenant_id = p_tenant AND c.purpose = u.purpose AND c.value_hash = u.hash
            WHERE c.stream <> u.stream ORDER BY u.number LIMIT 1;
            IF FOUND THEN
                RAISE EXCEPTION 'claim % is held by %', v_found.purpose, v_found.holder USING ERRCODE = 'CF003',
                    DETAIL = json_build_object('index', v_found.index, 'purpose', v_found.purpose, 'holder', v_found.holder);
            END IF;
        END IF;
    END IF;

    last_position := v_head.position + v_count;
    v_chain := v_head.chain_hash;
    FOR i IN 1 .. v_count LOOP
        v_occurred := coalesce(p_occurred_at[i], recorded);
        IF v_occurred > recorded THEN
            RAISE EXCEPTION 'event in the future' USING ERRCODE = 'CF006',
                DETAIL = json_build_object('index', i - 1, 'stream', p_streams[i], 'occurred_at', v_occurred);
        END IF;
        v_payload_hash := sha256(p_payloads[i]);
        v_chain := chain_link(v_chain, p_tenant, v_head.position + i, p_streams[i], p_versions[i], p_types[i],
                              v_payload_hash, p_metadata, v_occurred, recorded);
        IF v_count > 1 THEN
            v_payload_hashes[i] := v_payload_hash;
            v_chains[i] := v_chain;
        END IF;
    END LOOP;

    IF v_count = 1 THEN
        INSERT INTO events VALUES (
            p_tenant, last_position, p_streams[1], p_versions[1], p_types[1], p_payloads[1], v_payload_hash,
            p_metadata, v_occurred, recorded, v_chain
        ) ON CONFLICT DO NOTHING;
    ELSE
        INSERT INTO events
        SELECT p_tenant, v_head.position + u.number, u.stream, u.version, u.type, u.payload, u.payload_hash,
               p_metadata, coalesce(p_occurred_at[u.number], recorded), recorded, u.chain_hash
        FROM unnest(p_streams, p_versions, p_types, p_payloads, v_payload_hashes, v_chains)
            WITH ORDINALITY AS u (stream, version, type, payload, payload_hash, chain_hash, number)
        ON CONFLICT DO NOTHING;
    END IF;
    GET DIAGNOSTICS v_done = ROW_COUNT;
    IF v_done < v_count THEN
        SELECT u.number - 1 AS index, u.stream, u.version INTO v_found
        FROM unnest(p_streams, p_versions) WITH ORDINALITY AS u (stream, version, number)
        JOIN events e ON e.tenant_id = p_tenant AND e.stream = u.stream AND e.version = u.version
        WHERE e.position <> v_head.position + u.number ORDER BY u.number LIMIT 1;
        RAISE EXCEPTION '% has a version % already', v_found.stream, v_found.version USING ERRCODE = 'CF001',
            DETAIL = json_build_object('index', v_found.index, 'stream', v_found.stream, 'version', v_found.version);
    END IF;

    IF p_subjects IS NOT NULL THEN
        INSERT INTO keys.subject_keys (tenant_id, subject, wrapped)
        SELECT p_tenant, u.subject, u.wrapped FROM unnest(p_subjects, p_wrapped_keys) AS u (subject, wrapped)
        ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS v_done = ROW_COUNT;
        IF v_done < cardinality(p_subjects) THEN
            RAISE EXCEPTION 'a subject has a key already' USING ERRCODE = 'CF005', DETAIL = '{}';
        END IF;
    END IF;

    UPDATE tenant_heads SET position = last_position, chain_hash = v_chain, recorded_at = recorded
    WHERE tenant_id = p_tenant;

    IF p_principals IS NOT NULL THEN
        PERFORM FROM principals WHERE tenant_id = p_tenant AND role = 'admin' AND active LIMIT 1;
        v_has_admin := FOUND;
        INSERT INTO principals AS p (tenant_id, user_id, role, manager, office, active, stamp)
        SELECT p_tenant, u.user_id, u.role, u.manager, u.office, u.active, 1
        FROM jsonb_to_recordset(p_principals) AS u (user_id uuid, role text, manager uuid, office text, active boolean)
        ON CONFLICT (tenant_id, user_id) DO UPDATE SET
            role = excluded.role, manager = excluded.manager, office = excluded.office, active = excluded.active,
            stamp = p.stamp + (p.role <> excluded.role OR p.active <> excluded.active)::integer;
        PERFORM FROM principals WHERE tenant_id = p_tenant AND role = 'admin' AND active LIMIT 1;
        IF v_has_admin AND NOT FOUND THEN
            RAISE EXCEPTION 'the last active admin would be lost' USING ERRCODE = 'CF007', DETAIL = '{}';
        END IF;
        IF p_most_users IS NOT NULL THEN
            SELECT count(*) AS active INTO v_found FROM principals WHERE tenant_id = p_tenant AND active;
            IF v_found.active > p_most_users THEN
                RAISE EXCEPTION '% users would be active', v_found.active USING ERRCODE = 'CF008',
                    DETAIL = json_build_object('limit', p_most_users);
            END IF;
        END IF;
    END IF;
    IF p_source_streams IS NOT NULL THEN
        INSERT INTO import_sources (tenant_id, stream, fields)
        SELECT p_tenant, u.stream, u.fields::jsonb FROM unnest(p_source_streams, p_sources) AS u (stream, fields)
        ON CONFLICT (tenant_id, stream) DO UPDATE SET fields = excluded.fields;
    END IF;
    IF p_idempotency_key IS NOT NULL THEN
        INSERT INTO idempotency_keys VALUES (
            p_tenant, p_actor, p_idempotency_key, p_request_hash,
            p_outcome || jsonb_build_object('position', last_position), recorded
        );
    END IF;
END $$;

-- The same for the commonest append: one event, perhaps of a new stream with its subject's key, and nothing else.
-- It returns the event's position.
-- It is a function of its own because the server spends as much on the arguments of append_events as on its work.
CREATE FUNCTION append_event(
    p_tenant uuid,
    p_metadata bytea,
    p_stream text,
    p_version integer,
    p_type text,
    p_payload bytea,
    p_occurred_at timestamptz,
    p_subject uuid,
    p_wrapped_key bytea
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_setting text := set_config('app.tenant_id', p_tenant::text, true);
    v_payload_hash bytea := sha256(p_payload);
    v_position bigint;
    v_recorded timestamptz;
    v_occurred timestamptz;
    v_chain bytea;
BEGIN
    SELECT position, recorded_at, chain_hash INTO v_position, v_recorded, v_chain
    FROM tenant_heads WHERE tenant_id = p_tenant FOR UPDATE;
    IF v_position IS NULL THEN
        INSERT INTO tenant_heads VALUES (p_tenant, 0, sha256(uuid_send(p_tenant)), '-infinity') ON CONFLICT DO NOTHING;
        SELECT position, recorded_at, chain_hash INTO v_position, v_recorded, v_chain
        FROM tenant_heads WHERE tenant_id = p_tenant FOR UPDATE;
    END IF;
    v_position := v_position + 1;
    v_recorded := greatest(v_recorded, clock_timestamp());
    v_occurred := coalesce(p_occurred_at, v_recorded);
    IF v_occurred > v_recorded THEN
        RAISE EXCEPTION 'event in the future' USING ERRCODE = 'CF006',
            DETAIL = json_build_object('index', 0, 'stream', p_stream, 'occurred_at', v_occurred);
    END IF;
    v_chain := chain_link(v_chain, p_tenant, v_position, p_stream, p_version, p_type, v_payload_hash, p_metadata,
                          v_occurred, v_recorded);
    INSERT INTO events VALUES (
        p_tenant, v_position, p_stream, p_version, p_type, p_payload, v_payload_hash, p_metadata, v_occurred,
        v_recorded, v_chain
    ) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% has a version % already', p_stream, p_version USING ERRCODE = 'CF001',
            DETAIL = json_build_object('index', 0, 'stream', p_stream, 'version', p_version);
    END IF;
    IF p_subject IS NOT NULL THEN
        INSERT INTO keys.subject_keys (tenant_id, subject, wrapped) VALUES (p_tenant, p_subject, p_wrapped_key)
        ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'a subject has a key already' USING ERRCODE = 'CF005', DETAIL = '{}';
        END IF;
    END IF;
    UPDATE tenant_heads SET position = v_position, chain_hash = v_chain, recorded_at = v_recorded
    WHERE tenant_id = p_tenant;
    RETURN v_position;
END $$;

REVOKE ALL ON FUNCTION append_events, append_event, use_tenant, chain_link FROM PUBLIC;
GRANT EXECUTE ON FUNCTION append_events, append_event, use_tenant, chain_link TO clientforge_app;
GRANT EXECUTE ON FUNCTION use_tenant TO clientforge_monitor;
