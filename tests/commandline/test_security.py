"""`clientforge security scan`: one table, one exit code."""

import json

from tests.commandline.conftest import Run


def test_the_scan_tells_every_check_and_fails_when_one_does(run: Run):
    told = run("security", "scan", "--json", "--url", "http://127.0.0.1:9", PUBLIC_URL="https://crm.example.com")
    findings = json.loads(told.stdout)
    assert {each["check"] for each in findings} == {
        "insecure code",
        "vulnerable dependencies",
        "secrets in the tree",
        "settings",
        "headers",
        "row-level security",
    }
    by_check = {each["check"]: each["result"] for each in findings}
    assert by_check["row-level security"] == by_check["settings"] == by_check["insecure code"] == "ok"
    assert by_check["headers"] == "skipped"
    assert told.returncode == ("failed" in by_check.values())

    weak = run("security", "scan", "--url", "http://127.0.0.1:9", JWT_SECRET="x" * 40)
    assert "JWT_SECRET: can be guessed" in weak.stdout
    assert "warning" in weak.stdout


def test_the_tree_alone_needs_no_system(run: Run):
    nothing = dict.fromkeys(("DATABASE_URL", "JWT_SECRET", "MASTER_KEY"))
    told = run("security", "scan", "--tree", **nothing)
    assert "secrets in the tree" in told.stdout
    assert "settings" not in told.stdout
