"""Each check of the security scan, where it finds something and where it doesn't."""

import subprocess
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, make_server

import psycopg
import pytest

from infrastructure import security_scan as scan
from infrastructure.checks import release
from infrastructure.findings import Result
from infrastructure.schema_scan import row_level_security
from infrastructure.settings import Settings
from tests.architecture.sources import ROOT
from tests.fixtures import JWT_SECRET, MASTER_KEY


def results(findings):
    return {each.result for each in findings}


def test_insecure_code_is_found_by_its_line(tmp_path):
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "bad.py").write_text("import pickle\n\n\ndef load(x):\n    return pickle.loads(x)\n")
    [finding] = scan.insecure_code(tmp_path)
    assert finding.result is Result.FAILED
    assert finding.found.startswith("api/bad.py:5 S301")


def test_a_configuration_of_the_tree_hides_nothing_from_the_scan(tmp_path):
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "bad.py").write_text("eval(input())\n")
    (tmp_path / "ruff.toml").write_text("exclude = ['api']\n")
    assert results(scan.insecure_code(tmp_path)) == {Result.FAILED}
    (tmp_path / "ruff.toml").write_text("this is no configuration")
    [finding] = scan.insecure_code(tmp_path)
    assert finding.found.startswith("api/bad.py:1 S307")


def test_a_linter_that_fails_is_no_clean_bill(monkeypatch):
    broken = subprocess.CompletedProcess([], 2, stdout="", stderr="ruff failed\n  Cause: unknown rule")
    monkeypatch.setattr(scan, "_run", lambda *_, **__: broken)
    [finding] = scan.insecure_code()
    assert (finding.result, "unknown rule" in finding.found) == (Result.FAILED, True)


def test_this_tree_holds_no_insecure_code_and_no_secret():
    assert results(scan.insecure_code()) == {Result.OK}
    assert results(scan.secrets_in_the_tree()) == {Result.OK}


def test_a_key_in_the_tree_is_found_and_not_told(tmp_path):
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    key = "AKIA" + "IOSFODNN7EXAMPL" + "Q"
    (tmp_path / "settings.py").write_text(f"AWS = '{key}'\n")
    subprocess.run(["git", "add", "settings.py"], cwd=tmp_path, check=True)
    (tmp_path / "not-under-version-control.py").write_text("-----BEGIN RSA " + "PRIVATE KEY-----\n")
    [finding] = scan.secrets_in_the_tree(tmp_path)
    assert finding.result is Result.FAILED
    assert finding.found == "settings.py:1 AWS Access Key"
    assert key not in str(finding)


TOKEN = "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
AWS_KEY = "AKIA" + "IOSFODNN7EXAMPL" + "Q"


@pytest.mark.parametrize(
    ("file", "line", "what"),
    [
        (".env", "JWT_SECRET=short but secret", "secret in an environment file"),
        ("deploy/production.env", "export SMTP_PASSWORD='x7Kw-2bQ'", "secret in an environment file"),
        ("a.yml", "url: postgresql://app:x7Kw-2bQ@db.example.com/x", "password in a URL"),
        ("a.yml", "url: redis://:x7Kw/2bQ@cache/0", "password in a URL"),
        ("a.yml", f"MASTER_KEY: {MASTER_KEY}", "ClientForge secret"),
        ("a.md", f"Authorization: Bearer {TOKEN}", "JSON Web Token"),
        ("a.md", "cfk_" + "aB3-" * 27, "ClientForge token"),
        ("tests/a.py", f"key = '{AWS_KEY}'  # pragma: allowlist secret", "AWS Access Key"),
        ("a.lock", f"key = '{AWS_KEY}'", "AWS Access Key"),
    ],
)
def test_each_kind_of_secret_is_found_and_no_comment_hides_it(tmp_path, file, line, what):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(f"first: line\n{line}\n")
    [finding] = scan.secrets_in_the_tree(tmp_path)
    assert (finding.result, finding.found) == (Result.FAILED, f"{file}:2 {what}")


def test_placeholders_are_no_secrets(tmp_path):
    (tmp_path / ".env.example").write_text("JWT_SECRET=\nMASTER_KEY=${MASTER_KEY}\nREDIS_URL=redis://:PASSWORD@db/0\n")
    (tmp_path / "a.yml").write_text("url: postgresql://app:${DB_PASSWORD}@db/x\nother: https://example.com/a?b=c@d\n")
    assert results(scan.secrets_in_the_tree(tmp_path)) == {Result.OK}


@pytest.mark.parametrize(
    ("printed", "result", "told"),
    [
        ('{"dependencies": [{"name": "a", "version": "1", "vulns": []}]}', Result.OK, "none known in 1 "),
        (
            '{"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}]}',
            Result.FAILED,
            "a 1: CVE-1",
        ),
        ("", Result.SKIPPED, "could not be reached"),
        ('{"dependencies": [{"name": "a", "skip_reason": "not found"}]}', Result.SKIPPED, "not really reached"),
    ],
)
def test_the_database_of_vulnerabilities_says_what_is_known_or_that_it_is_away(monkeypatch, printed, result, told):
    """Its answer is given here: the database itself is elsewhere, and is not always reached."""
    answer = subprocess.CompletedProcess([], 0, stdout=printed, stderr="")
    monkeypatch.setattr(scan, "_run", lambda *_, **__: answer)
    [finding] = scan.vulnerable_dependencies()
    assert (finding.result, told in finding.found) == (result, True)


def test_what_is_not_there_is_skipped_with_the_reason(tmp_path, monkeypatch):
    assert results(scan.vulnerable_dependencies(tmp_path)) == {Result.SKIPPED}
    assert results(scan.headers_of("http://127.0.0.1:9")) == {Result.SKIPPED}
    assert results(row_level_security("postgresql://x@127.0.0.1:9/x")) == {Result.SKIPPED}
    monkeypatch.setattr(scan, "_run", lambda *_, **__: None)
    [finding] = scan.insecure_code()
    assert "isn't installed" in finding.found


@pytest.mark.parametrize(("environment", "result"), [("production", Result.FAILED), ("development", Result.WARNING)])
def test_weak_settings_fail_in_production_and_warn_elsewhere(environment, result):
    url = "postgresql://app:Kx7v-0bWq2@db/x"
    told = {"database_url": url, "master_key": MASTER_KEY, "public_url": "https://crm.example.com"}
    strong = Settings.load(_env_file=None, **told, jwt_secret=JWT_SECRET)
    assert results(scan.settings_of(strong)) == {Result.OK}
    weak = Settings.load(_env_file=None, **told, jwt_secret="x" * 40)
    assert results(scan.settings_of(weak.model_copy(update={"environment": environment}))) == {result}


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_missing_headers_are_told_one_by_one():
    def bare(_environ, start_response):
        start_response("200 OK", [("X-Content-Type-Options", "nosniff")])
        return [b"{}"]

    server = make_server("127.0.0.1", 0, bare, handler_class=Quiet)
    Thread(target=server.serve_forever, daemon=True).start()
    findings = scan.headers_of(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()
    assert results(findings) == {Result.FAILED}
    assert len(findings) == 5
    assert not any("x-content-type-options" in each.found for each in findings)


def test_gaps_in_row_level_security_are_found(fresh_urls):
    assert results(row_level_security(fresh_urls.app)) == {Result.OK}
    with psycopg.connect(fresh_urls.owner, autocommit=True) as owner:
        owner.execute("CREATE TABLE loose (tenant_id uuid, x int)")
        owner.execute("CREATE TABLE unbound (tenant_id uuid); ALTER TABLE unbound ENABLE ROW LEVEL SECURITY")
        owner.execute("ALTER TABLE unbound FORCE ROW LEVEL SECURITY")
        owner.execute("CREATE FUNCTION rises() RETURNS int LANGUAGE sql SECURITY DEFINER RETURN 1")
        owner.execute("CREATE VIEW peeps AS SELECT * FROM events")
        owner.execute("CREATE MATERIALIZED VIEW copies AS SELECT 1")
    found = [each.found for each in row_level_security(fresh_urls.app)]
    assert found == [
        "copies: reads with its owner's rights",
        "loose: no policy",
        "loose: row-level security is not forced",
        "peeps: reads with its owner's rights",
        "rises(): runs with its owner's rights",
        "unbound: no policy",
    ]


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (
            "CREATE POLICY all_of_it ON events TO clientforge_app USING (true)",
            "events: policy all_of_it lets through more than the tenant of the transaction",
        ),
        (
            "ALTER POLICY tenant ON claims TO PUBLIC",
            "claims: policy tenant lets through more than the tenant of the transaction",
        ),
        (
            "ALTER POLICY tenant ON claims WITH CHECK (true)",
            "claims: policy tenant lets through more than the tenant of the transaction",
        ),
        (
            "CREATE POLICY monitor ON claims FOR SELECT TO clientforge_monitor USING (true)",
            "claims: policy monitor lets through more than the tenant of the transaction",
        ),
        ("GRANT UPDATE ON events TO clientforge_app", "events: clientforge_app may UPDATE"),
        ("GRANT UPDATE (payload) ON events TO clientforge_app", "events: clientforge_app may UPDATE"),
        ("GRANT TRUNCATE ON claims TO clientforge_app", "claims: clientforge_app may TRUNCATE"),
        ("GRANT SELECT ON events TO clientforge_monitor", "events: clientforge_monitor may SELECT"),
        ("GRANT SELECT (payload) ON events TO clientforge_monitor", "events: clientforge_monitor may SELECT"),
        ("GRANT SELECT ON claims TO PUBLIC", "claims: everybody may SELECT"),
        (
            "CREATE TABLE shared (x int); GRANT SELECT ON shared TO clientforge_app",
            "shared: has no tenant_id, and is used by clientforge_app",
        ),
        (
            "GRANT INSERT ON _yoyo_migration TO clientforge_app",
            "_yoyo_migration: has no tenant_id, and is used by clientforge_app",
        ),
        (
            "CREATE SCHEMA other; CREATE TABLE other.loose AS SELECT * FROM claims",
            "other.loose: no policy, other.loose: row-level security is not forced",
        ),
        (
            "CREATE SCHEMA other; CREATE FUNCTION other.rises() RETURNS int LANGUAGE sql SECURITY DEFINER RETURN 1",
            "other.rises(): runs with its owner's rights",
        ),
    ],
)
def test_rights_and_policies_beyond_the_migrations_are_found_in_every_schema(fresh_urls, statement, found):
    with psycopg.connect(fresh_urls.superuser, autocommit=True) as superuser:
        superuser.execute(statement)
    assert ", ".join(each.found for each in row_level_security(fresh_urls.app)) == found


def test_the_tree_is_the_checkout():
    assert release.ROOT == ROOT
