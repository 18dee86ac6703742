"""Every statement on a table of tenants names the tenant, besides row-level security."""

import re

from tests.architecture.sources import ROOT, Module, modules

STATEMENT = re.compile(r"\b(SELECT|UPDATE|DELETE FROM|INSERT INTO)\b")
TABLE = re.compile(r"\b(?:FROM|JOIN|UPDATE|INTO)\s+((?:\w+\.)?\w+)")
CREATED = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?((?:\w+\.)?\w+) \((.*?)^\)", re.DOTALL | re.MULTILINE)


def tenant_tables() -> set[str]:
    migrations = (ROOT / "infrastructure" / "migrations").glob("*.sql")
    return {
        name
        for migration in migrations
        for name, columns in CREATED.findall(migration.read_text())
        if "tenant_id" in columns
    }


def careless_statements(module: Module, tables: set[str]) -> list[str]:
    return [
        f"{module.path.relative_to(ROOT)}:{line}: {' '.join(text.split())[:100]}"
        for line, text in module.texts()
        if STATEMENT.search(text) and tables.intersection(TABLE.findall(text)) and "tenant_id" not in text
    ]


def test_the_migrations_hold_tables_of_tenants():
    assert {"events", "tenant_heads", "claims"} <= tenant_tables()


def test_every_statement_on_a_table_of_tenants_names_the_tenant():
    tables = tenant_tables()
    careless = [found for module in modules() for found in careless_statements(module, tables)]
    assert careless == []


def test_every_tenant_table_has_the_tenant_first_in_its_keys():
    migrations = "\n".join(path.read_text() for path in (ROOT / "infrastructure" / "migrations").glob("*.sql"))
    wrong = {
        name: key
        for name, columns in CREATED.findall(migrations)
        if "tenant_id" in columns
        for key in re.findall(r"(?:PRIMARY KEY|UNIQUE)\s*\(([^)]*)\)", columns)
        if not key.strip().startswith("tenant_id")
    }
    assert wrong == {}
