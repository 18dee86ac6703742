-- A manager's team is looked up with every request of theirs.
CREATE INDEX principals_manager ON principals (tenant_id, manager);
