"""`clientforge import` as an operator uses it: exit codes, reports, and a dry run that writes nothing."""

import csv
import json
from pathlib import Path

import pytest

from tests.commandline.conftest import done, refused

SMALL = Path(__file__).parents[2] / "docs" / "samples" / "small"
MAP = 'external_id = "id"\n[fields]\nname = "name"\nemployees = "staff"\n'
ROWS = "id,name,staff\na,Acme,12\nb,,many\n"


@pytest.fixture
def here(tmp_path) -> Path:
    """The directory where the command runs, with a map and a file of one good row and a bad one."""
    (tmp_path / "map.toml").write_text(MAP)
    (tmp_path / "rows.csv").write_text(ROWS)
    return tmp_path


@pytest.fixture
def acme(run):
    """A tenant with room for all that comes."""
    done(run("tenant", "create", "Acme", "--subdomain", "acme", "--max-users", "0"))


def events_of(built, name: str = "acme") -> list[tuple[str, str]]:
    tenant = built.tenancy.find(name).id
    log = built.store.log(tenant, after=0, limit=10_000)
    return [(each.event.TYPE, each.metadata.actor) for each in log if each.entity != "pipeline"]


def test_a_dry_run_says_what_is_wrong_and_writes_nothing(run, here, acme, built):
    result = run("import", "accounts", "rows.csv", "--map", "map.toml", "--tenant", "acme", "--dry-run")

    assert result.returncode == 1
    assert "dry run: nothing was written" in result.stdout
    assert "2 read, 1 created, 0 changed, 0 unchanged, 1 rejected" in result.stdout
    assert "row 3, column name: The name is missing." in result.stdout
    assert "row 3, column staff: 'many' is not a number such as 1054.50." in result.stdout
    assert events_of(built) == []


def test_rejected_rows_are_mended_and_imported_from_their_file(run, here, acme, built):
    arguments = ("--map", "map.toml", "--tenant", "acme", "--report")
    assert run("import", "accounts", "rows.csv", *arguments, "out.json").returncode == 1

    report = json.loads((here / "out.json").read_text())
    assert {name: report[name] for name in ("read", "created", "rejected")} == {"read": 2, "created": 1, "rejected": 1}
    assert report["reasons"] == {"name: missing": 1, "staff: not_readable": 1}
    assert [(each["row"], each["column"]) for each in report["details"]] == [(3, "staff"), (3, "name")]
    rejects = here / "out.rejected.csv"
    assert report["rejected_rows"] == str(rejects.name)
    header, row = csv.reader(rejects.read_text().splitlines())
    assert header == ["id", "name", "staff", "reason"]
    assert row[:3] == ["b", "", "many"]
    assert "The name is missing." in row[3]

    (here / "mended.csv").write_text(rejects.read_text().replace("b,,many", "b,Beta,3"))
    assert "1 created" in done(run("import", "accounts", "mended.csv", *arguments, "out.json"))
    assert not rejects.exists(), "what is left of an earlier run says nothing about this one"
    assert events_of(built) == [("account.created.v1", "import")] * 2


def test_a_text_report_is_for_people(run, here, acme):
    run("import", "accounts", "rows.csv", "--map", "map.toml", "--tenant", "acme", "--report", "out.txt")
    assert "row 3, column name: The name is missing." in (here / "out.txt").read_text()


def test_wrong_usage_writes_nothing(run, here, acme, built):
    (here / "wrong.toml").write_text(MAP.replace("name =", "nmae ="))
    (here / "other.csv").write_text("id;name\na;b\n")
    good = ("import", "accounts", "rows.csv", "--tenant", "acme", "--map")

    assert "fields.nmae" in refused(run(*good, "wrong.toml"), 2)
    assert "no column id, name, staff" in refused(run("import", "accounts", "other.csv", *good[3:], "map.toml"), 2)
    assert "does not exist" in refused(run(*good, "nothing.toml"), 2)
    assert "no directory" in refused(run(*good, "map.toml", "--report", "nowhere/out.json"), 2)
    assert "written over" in refused(run(*good, "map.toml", "--report", "rows.csv"), 2)
    assert "no tenant 'nobody'" in refused(
        run("import", "accounts", "rows.csv", "--map", "map.toml", "--tenant", "nobody"), 1
    )
    assert (here / "rows.csv").read_text() == ROWS
    assert events_of(built) == []


def test_the_sample_goes_in_whole_and_once(run, acme, built):
    for kind in ("users", "products", "accounts", "contacts", "deals", "deals"):
        map = str(SMALL / f"{kind}.toml")
        told = done(run("import", kind, str(SMALL / f"{kind}.csv"), "--map", map, "--tenant", "acme"))
        assert "0 changed" in told
    events = [type for type, _ in events_of(built)]
    assert events.count("deal.opened.v1") == 200
    assert events.count("contact.created.v1") == 30
    assert events.count("account.created.v1") == 20
