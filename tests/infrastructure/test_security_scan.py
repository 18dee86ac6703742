"""Each check of the security scan, where it finds something and where it doesn't."""

import subprocess
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, make_server

import psycopg
import pytest

from infrastructure import security_scan as scan
from infrastructure.findings import Result
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
    assert results(scan.row_level_security("postgresql://x@127.0.0.1:9/x")) == {Result.SKIPPED}
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
    assert results(scan.row_level_security(fresh_urls.app)) == {Result.OK}
    with psycopg.connect(fresh_urls.owner, autocommit=True) as owner:
        owner.execute("CREATE TABLE loose (tenant_id uuid, x int)")
        owner.execute("CREATE TABLE unbound (tenant_id uuid); ALTER TABLE unbound ENABLE ROW LEVEL SECURITY")
        owner.execute("ALTER TABLE unbound FORCE ROW LEVEL SECURITY")
        owner.execute("CREATE FUNCTION rises() RETURNS int LANGUAGE sql SECURITY DEFINER RETURN 1")
        owner.execute("CREATE VIEW peeps AS SELECT * FROM events")
    found = [each.found for each in scan.row_level_security(fresh_urls.app)]
    assert found == [
        "loose: row-level security is not forced",
        "unbound: no policy",
        "rises(): runs with its owner's rights",
        "peeps: reads with its owner's rights",
    ]


def test_the_tree_is_the_checkout():
    assert scan.ROOT == ROOT
