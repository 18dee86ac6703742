-- The relational read models: per tenant and generation, filled from the log alone, read by the live generation.
-- Written for PostgreSQL 15+, and so that they can be distributed by tenant_id.

-- `document` is the row as it is read; the columns beside it are for filters and sorts. Keys end in `_key` where a text
-- is kept as people expect it to be sorted, and are compared byte by byte, which no change of collations can upset.
-- The index of a filter goes on with what the list is sorted by: where few of many records match, none else is read.
CREATE TABLE accounts (
    tenant_id uuid NOT NULL,
    generation integer NOT NULL,
    id uuid NOT NULL,
    position bigint NOT NULL,
    archived boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    name_key text COLLATE "C",
    owner uuid,
    parent uuid,
    industry text COLLATE "C",
    document jsonb NOT NULL,
    PRIMARY KEY (tenant_id, generation, id)
);
CREATE INDEX accounts_name ON accounts (tenant_id, generation, name_key, id);
CREATE INDEX accounts_created ON accounts (tenant_id, generation, created_at, id);
CREATE INDEX accounts_updated ON accounts (tenant_id, generation, updated_at, id);
CREATE INDEX accounts_owner ON accounts (tenant_id, generation, owner, name_key, id);
CREATE INDEX accounts_parent ON accounts (tenant_id, generation, parent, name_key, id);
CREATE INDEX accounts_archived ON accounts (tenant_id, generation, name_key, id) WHERE archived;
CREATE INDEX accounts_industry ON accounts (tenant_id, generation, industry, name_key, id);

CREATE TABLE contacts (
    tenant_id uuid NOT NULL,
    generation integer NOT NULL,
    id uuid NOT NULL,
    position bigint NOT NULL,
    archived boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    name_key text COLLATE "C",
    last_name_key text COLLATE "C",
    owner uuid,
    account uuid,
    status text COLLATE "C" NOT NULL,
    lifecycle text COLLATE "C" NOT NULL,
    lead_source text COLLATE "C",
    document jsonb NOT NULL,
    PRIMARY KEY (tenant_id, generation, id)
);
CREATE INDEX contacts_name ON contacts (tenant_id, generation, name_key, id);
CREATE INDEX contacts_last_name ON contacts (tenant_id, generation, last_name_key, id);
CREATE INDEX contacts_created ON contacts (tenant_id, generation, created_at, id);
CREATE INDEX contacts_updated ON contacts (tenant_id, generation, updated_at, id);
CREATE INDEX contacts_owner ON contacts (tenant_id, generation, owner, name_key, id);
CREATE INDEX contacts_account ON contacts (tenant_id, generation, account, name_key, id);
CREATE INDEX contacts_archived ON contacts (tenant_id, generation, name_key, id) WHERE archived;
CREATE INDEX contacts_status ON contacts (tenant_id, generation, status, name_key, id);
CREATE INDEX contacts_lifecycle ON contacts (tenant_id, generation, lifecycle, name_key, id);
CREATE INDEX contacts_lead_source ON contacts (tenant_id, generation, lead_source, name_key, id);

CREATE TABLE products (
    tenant_id uuid NOT NULL,
    generation integer NOT NULL,
    id uuid NOT NULL,
    position bigint NOT NULL,
    archived boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    name_key text COLLATE "C",
    code text COLLATE "C",
    family text COLLATE "C",
    active boolean NOT NULL,
    document jsonb NOT NULL,
    PRIMARY KEY (tenant_id, generation, id)
);
CREATE INDEX products_name ON products (tenant_id, generation, name_key, id);

CREATE TABLE users (
    tenant_id uuid NOT NULL,
    generation integer NOT NULL,
    id uuid NOT NULL,
    position bigint NOT NULL,
    archived boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    name text,
    name_key text COLLATE "C",
    role text COLLATE "C" NOT NULL,
    manager uuid,
    office text COLLATE "C",
    document jsonb NOT NULL,
    PRIMARY KEY (tenant_id, generation, id)
);
CREATE INDEX users_name ON users (tenant_id, generation, name_key, id);

CREATE TABLE pipelines (
    tenant_id uuid NOT NULL,
    generation integer NOT NULL,
    id uuid NOT NULL,
    position bigint NOT NULL,
    archived boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    name text NOT NULL,
    name_key text COLLATE "C",
    is_default boolean NOT NULL,
    document jsonb NOT NULL,
    PRIMARY KEY (tenant_id, generation, id)
);

CREATE TABLE deals (
    tenant_id uuid NOT NULL,
    generation integer NOT NULL,
    id uuid NOT NULL,
    position bigint NOT NULL,
    archived boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    name_key text COLLATE "C",
    owner uuid,
    pipeline uuid NOT NULL,
    stage uuid NOT NULL,
    kind text COLLATE "C" NOT NULL,
    account uuid,
    amount numeric,
    currency text COLLATE "C",
    expected_close date,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    stage_since timestamptz NOT NULL,
    document jsonb NOT NULL,
    PRIMARY KEY (tenant_id, generation, id)
);
CREATE INDEX deals_name ON deals (tenant_id, generation, name_key, id);
CREATE INDEX deals_amount ON deals (tenant_id, generation, amount, id);
CREATE INDEX deals_expected_close ON deals (tenant_id, generation, expected_close, id);
CREATE INDEX deals_closed ON deals (tenant_id, generation, closed_at, id);
CREATE INDEX deals_created ON deals (tenant_id, generation, created_at, id);
CREATE INDEX deals_updated ON deals (tenant_id, generation, updated_at, id);
CREATE INDEX deals_owner ON deals (tenant_id, generation, owner, created_at, id);
CREATE INDEX deals_account ON deals (tenant_id, generation, account, created_at, id);
CREATE INDEX deals_stage ON deals (tenant_id, generation, stage, created_at, id);
CREATE INDEX deals_archived ON deals (tenant_id, generation, created_at, id) WHERE archived;
CREATE INDEX deals_kind ON deals (tenant_id, generation, kind, created_at, id);

-- What the pipeline counts of a deal, by when it was so in the world: from `valid_from` on, until before `valid_to`.
CREATE TABLE deal_periods (
    tenant_id uuid NOT NULL,
    generation integer NOT NULL,
    deal uuid NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    position bigint NOT NULL,
    pipeline uuid NOT NULL,
    stage uuid NOT NULL,
    kind text COLLATE "C" NOT NULL,
    probability integer NOT NULL,
    amount numeric,
    currency text COLLATE "C",
    archived boolean NOT NULL,
    PRIMARY KEY (tenant_id, generation, deal, valid_from)
);

-- What stands in a stage now, added up; of nobody's deals (the nil owner) and those without a currency ('') as well.
CREATE TABLE deal_totals (
    tenant_id uuid NOT NULL,
    generation integer NOT NULL,
    pipeline uuid NOT NULL,
    stage uuid NOT NULL,
    kind text COLLATE "C" NOT NULL,
    owner uuid NOT NULL,
    currency text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    deals bigint NOT NULL,
    priced bigint NOT NULL,
    amount numeric NOT NULL,
    weighted numeric NOT NULL,
    PRIMARY KEY (tenant_id, generation, pipeline, stage, kind, owner, currency)
);

-- What happened, and on whose timelines it shows: a record's own, and those of records that it belongs to.
CREATE TABLE timeline_events (
    tenant_id uuid NOT NULL,
    generation integer NOT NULL,
    position bigint NOT NULL,
    entity text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    type text COLLATE "C" NOT NULL,
    actor text COLLATE "C" NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    changed jsonb NOT NULL,
    PRIMARY KEY (tenant_id, generation, position)
);
CREATE TABLE timelines (
    tenant_id uuid NOT NULL,
    generation integer NOT NULL,
    entity text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (tenant_id, generation, entity, id, position)
);

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY[
        'accounts', 'contacts', 'products', 'users', 'pipelines', 'deals', 'deal_periods', 'deal_totals',
        'timeline_events', 'timelines'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', v_table);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO clientforge_app'
            ' USING (tenant_id = NULLIF(current_setting(''app.tenant_id'', true), '''')::uuid)'
            ' WITH CHECK (tenant_id = NULLIF(current_setting(''app.tenant_id'', true), '''')::uuid)',
            v_table
        );
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO clientforge_app', v_table);
    END LOOP;
END $$;
