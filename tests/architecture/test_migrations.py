"""Migrations of a system that runs: what would lock a large table, or break the release that still runs, is refused."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure.migrate import MIGRATIONS
from tests.architecture.sources import ROOT

LINTER = str(Path(sys.executable).parent / "squawk")
UNMATCHED = ["--no-error-on-unmatched-pattern"]
"""Said while the files that are left out are the only ones."""
UNRELEASED = 12
"""The last migration that makes what was there at the first release."""

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


def test_only_the_migrations_of_the_first_release_are_left_out(tmp_path):
    (bad,) = [text for text, rule in REFUSED.items() if rule == "changing-column-type"]

    assert linted(tmp_path, bad, UNRELEASED).returncode == 0


def test_the_migrations_that_are_there_pass_and_lint_looks_at_them():
    told = subprocess.run(
        [LINTER, *UNMATCHED, *sorted(MIGRATIONS.glob("*.sql"))], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert told.returncode == 0, told.stdout
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert lint is not None
    assert "$(BIN)/squawk --no-error-on-unmatched-pattern infrastructure/migrations/*.sql" in lint[1]
