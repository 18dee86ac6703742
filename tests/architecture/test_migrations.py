"""Migrations of a system that runs: what would lock a large table, or break the release that still runs, is refused."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure.migrate import MIGRATIONS
from tests.architecture import locking
from tests.architecture.sources import ROOT

LINTER = str(Path(sys.executable).parent / "squawk")
UNMATCHED = ["--no-error-on-unmatched-pattern"]
"""Said while the files that are left out are the only ones."""
UNRELEASED = locking.FIRST_RELEASE

REFUSED = {
    "ALTER TABLE events ADD COLUMN noted timestamptz DEFAULT clock_timestamp();": "adding-field-with-default",
    "ALTER TABLE events ADD COLUMN noted text NOT NULL;": "adding-required-field",
    "CREATE INDEX events_type ON events (type);": "require-concurrent-index-creation",
    "DROP INDEX events_type;": "require-concurrent-index-deletion",
    "ALTER TABLE events ALTER COLUMN type SET NOT NULL;": "adding-not-nullable-field",
    "ALTER TABLE events ALTER COLUMN position TYPE text;": "changing-column-type",
    "ALTER TABLE events ADD CONSTRAINT above CHECK (position > 0);": "constraint-missing-not-valid",
    "ALTER TABLE events ADD CONSTRAINT once UNIQUE (type);": "disallowed-unique-constraint",
    "ALTER TABLE events ADD CONSTRAINT to_head FOREIGN KEY (tenant_id) REFERENCES tenant_heads;": (
        "adding-foreign-key-constraint"
    ),
    "ALTER TABLE events DROP COLUMN type;": "ban-drop-column",
    "ALTER TABLE events RENAME COLUMN type TO kind;": "renaming-column",
    "DROP TABLE events;": "ban-drop-table",
}
TAKEN = (
    "CREATE TABLE things (n integer NOT NULL);\nCREATE INDEX things_n ON things (n);",
    "ALTER TABLE events ADD COLUMN noted text;",
    "ALTER TABLE events ADD COLUMN noted integer NOT NULL DEFAULT 0;",
    "ALTER TABLE events ADD CONSTRAINT noted_is_there CHECK (noted IS NOT NULL) NOT VALID;",
    "-- transactional: false\nCREATE INDEX CONCURRENTLY IF NOT EXISTS events_type ON events (type);",
    "-- squawk-ignore ban-drop-column -- no release reads it since 2.1\nALTER TABLE events DROP COLUMN noted;",
)

LOCKING = {
    "ALTER TABLE events ADD COLUMN n text CHECK (n <> '');": "column-check",
    "ALTER TABLE ONLY events ADD n text CONSTRAINT c CHECK ((n) <> '');": "column-check",
    "ALTER TABLE events ADD COLUMN a text,\n    ADD COLUMN n numeric(3, 1) CHECK (n IN (1, 2));": "column-check",
    "alter table events set tablespace fast;": "table-rewrite",
    "ALTER TABLE events SET UNLOGGED;": "table-rewrite",
    "ALTER TABLE events SET LOGGED;": "table-rewrite",
    "ALTER TABLE events SET ACCESS METHOD heap;": "table-rewrite",
    "ALTER INDEX events_pkey SET TABLESPACE fast;": "table-rewrite",
    "ALTER TABLE events ATTACH PARTITION old FOR VALUES IN (1);": "attach-partition",
    "CLUSTER events USING events_pkey;": "cluster",
    "-- transactional: false\nVACUUM FULL events;": "vacuum-full",
    "-- transactional: false\nVACUUM (FULL, ANALYZE) events;": "vacuum-full",
    "LOCK TABLE events;": "lock-table",
    "LOCK events": "lock-table",
    "TRUNCATE events;": "truncate",
    "UPDATE events SET n = 1;": "update-or-delete",
    "UPDATE events SET n = 1 WHERE n IS NULL;": "update-or-delete",
    "DELETE FROM events;": "update-or-delete",
    "WITH old AS (DELETE FROM events RETURNING n) SELECT count(*) FROM old;": "update-or-delete",
    "DO $$ BEGIN CREATE INDEX events_type ON events (type); END $$;": "do-block",
    "DO LANGUAGE plpgsql $do$ BEGIN NULL; END $do$;": "do-block",
    "SELECT 'it''s; '; /* one; /* two; */ */ -- three;\nTRUNCATE events;": "truncate",
    "SELECT E'it\\'s', 'c:\\'; TRUNCATE events; SELECT '';": "truncate",
    "-- lock-ignore truncate\nTRUNCATE events;": "truncate",
    "-- lock-ignore cluster -- another\nTRUNCATE events;": "truncate",
    "-- lock-ignore truncate -- the first alone\nTRUNCATE few;\nTRUNCATE events;": "truncate",
    "SELECT '\n-- lock-ignore truncate -- in a text\n'; TRUNCATE events;": "truncate",
}
"""Let through by squawk."""
NOT_LOCKING = (
    "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ SELECT 1; UPDATE events SET n = 1; TRUNCATE events; $$;",
    "CREATE TRIGGER t AFTER UPDATE ON events FOR EACH ROW EXECUTE FUNCTION f();",
    "GRANT SELECT, UPDATE, DELETE ON things TO clientforge_app;",
    "CREATE TABLE things (n integer CHECK (n > 0));",
    'ALTER TABLE events ADD COLUMN "check" text;',
    "ALTER TABLE events ADD COLUMN n text, ADD CONSTRAINT c CHECK (n <> '') NOT VALID;",
    "ALTER TABLE events SET (autovacuum_enabled = true);",
    "COMMENT ON TABLE events IS 'not; TRUNCATE events;';",
    "WITH few AS (SELECT n FROM things FOR NO KEY UPDATE) INSERT INTO others SELECT n FROM few;",
    "-- lock-ignore truncate -- it has ten rows\nTRUNCATE few;",
)


def linted(directory: Path, text: str, number: int = UNRELEASED + 1) -> "subprocess.CompletedProcess[str]":
    """What the linter says of a migration with this text and number."""
    (directory / "migrations").mkdir()
    (directory / "migrations" / f"{number:04}-new.sql").write_text(f"-- A new one.\n{text}\n")
    (directory / ".squawk.toml").write_text((ROOT / ".squawk.toml").read_text())
    command = [LINTER, *UNMATCHED, "--reporter", "gcc", f"migrations/{number:04}-new.sql"]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("text", REFUSED)
def test_what_locks_a_large_table_or_breaks_the_running_release_is_refused(tmp_path, text):
    told = linted(tmp_path, text)

    assert told.returncode == 1
    assert f": {REFUSED[text]} " in told.stdout


@pytest.mark.parametrize("text", TAKEN)
def test_what_expands_without_a_long_lock_is_taken(tmp_path, text):
    told = linted(tmp_path, text)

    assert told.returncode == 0, told.stdout


@pytest.mark.parametrize("text", LOCKING)
def test_what_squawk_does_not_know_to_lock_a_large_table_is_refused(tmp_path, text):
    (tmp_path / f"{UNRELEASED + 1:04}-new.sql").write_text(text)
    (line,) = locking.told(tmp_path)

    assert f": {LOCKING[text]} " in line


@pytest.mark.parametrize("text", [*NOT_LOCKING, *TAKEN])
def test_what_only_looks_like_it_is_taken(tmp_path, text):
    (tmp_path / f"{UNRELEASED + 1:04}-new.sql").write_text(text)

    assert locking.told(tmp_path) == []


def test_a_refusal_names_the_line_of_the_statement(tmp_path):
    file = tmp_path / f"{UNRELEASED + 1:04}-new.sql"
    file.write_text("SELECT 1;\n\n-- Why.\nTRUNCATE events;\n")

    assert locking.told(tmp_path)[0].startswith(f"{file}:4: truncate ")


@pytest.mark.parametrize("name", ["0013-new.py", "0013.rollback.sql", "post-apply.py", "new.sql"])
def test_a_migration_that_no_linter_reads_is_refused(tmp_path, name):
    (tmp_path / name).write_text("")

    assert ": not-linted " in locking.told(tmp_path)[0]


def test_only_the_migrations_of_the_first_release_are_left_out(tmp_path):
    (bad,) = [text for text, rule in REFUSED.items() if rule == "changing-column-type"]

    assert linted(tmp_path, bad, UNRELEASED).returncode == 0
    (tmp_path / "migrations" / f"{UNRELEASED:04}-new.sql").write_text("TRUNCATE events;")
    assert locking.told(tmp_path / "migrations") == []


def test_the_migrations_that_are_there_pass_and_lint_looks_at_them():
    told = subprocess.run(
        [LINTER, *UNMATCHED, *sorted(MIGRATIONS.glob("*.sql"))], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert told.returncode == 0, told.stdout
    assert locking.told(MIGRATIONS) == []
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert lint is not None
    assert "$(BIN)/squawk --no-error-on-unmatched-pattern infrastructure/migrations/*.sql" in lint[1]
    assert "$(BIN)/python -m tests.architecture.locking\n" in lint[1]
