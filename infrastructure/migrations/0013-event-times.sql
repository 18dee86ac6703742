-- How long what a projection lacks has been recorded: the monitor's role reads when each event was, and no more of it.

CREATE POLICY monitor ON events FOR SELECT TO clientforge_monitor USING (true);
GRANT SELECT (tenant_id, position, recorded_at) ON events TO clientforge_monitor;
