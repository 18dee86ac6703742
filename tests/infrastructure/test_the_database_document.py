"""docs/database.md says of every table what the catalogue says."""

import re

import psycopg
import pytest

from tests.architecture.sources import ROOT

_RIGHTS = {"SELECT": "S", "INSERT": "I", "UPDATE": "U", "DELETE": "D"}
_TABLE = re.compile(r"^\| `([\w.]+)` \| ([\w, ]+) \| ([SIUD]+|-) \| (forced|-) \| [^|]+ \| [^|]+ \|$", re.MULTILINE)
_CATALOGUE = """
SELECT CASE WHEN n.nspname = 'public' THEN '' ELSE n.nspname || '.' END || c.relname AS table,
       (SELECT string_agg(a.attname, ', ' ORDER BY k.nth)
        FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k(number, nth)
        JOIN pg_attribute a ON a.attnum = k.number
        WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid) AS key,
       ARRAY(SELECT right_of FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) WITH ORDINALITY r(right_of, nth)
             WHERE has_table_privilege('clientforge_app', c.oid, right_of) ORDER BY nth) AS rights,
       c.relrowsecurity AND c.relforcerowsecurity AS forced
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""
_FUNCTIONS = """
SELECT proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
"""


@pytest.fixture(scope="module")
def document() -> str:
    return (ROOT / "docs" / "database.md").read_text()


@pytest.fixture
def connection(fresh_urls):
    with psycopg.connect(fresh_urls.owner) as connection:
        yield connection


def test_every_table_has_the_key_rights_and_row_security_that_are_told(document, connection):
    told = {name: (key, rights, security == "forced") for name, key, rights, security in _TABLE.findall(document)}
    there = {
        name: (key, "".join(_RIGHTS[right] for right in rights) or "-", forced)
        for name, key, rights, forced in connection.execute(_CATALOGUE)
    }

    assert told == there


def test_every_function_is_told(document, connection):
    section = document.split("## Functions")[1].split("\n## ")[0]

    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == {
        name for (name,) in connection.execute(_FUNCTIONS)
    }


def test_every_typed_conflict_is_told(document):
    raised = {
        code
        for path in (ROOT / "infrastructure" / "migrations").glob("*.sql")
        for code in re.findall(r"ERRCODE = '(CF\d+)'", path.read_text())
    }

    assert set(re.findall(r"^\| `(CF\d+)` \|", document, re.MULTILINE)) == raised
