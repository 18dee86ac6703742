"""The table of docs/deployment.md by which a store's password is replaced, held against the script and the services."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT
from tests.deployment.compose import DEPLOY, production, secret_name

SERVICES = production({})["services"]
ONCE = {"migrate", "backup", "recovery"}
"""They read what is there when they begin, and end."""
FIRST_START = {"postgres", "elasticsearch", "mongodb"}
"""They make their users of what is there when their volumes are empty."""
_SECTION = (ROOT / "docs" / "deployment.md").read_text().split("### Replacing a store's password\n")[1].split("\n##")[0]
ROWS = [
    (re.findall(r"`([\w.]+)`", files), set(re.findall(r"`([\w-]+)`", services)))
    for _, files, services, _ in re.findall(r"^\| (.+?) \| (`.+?) \| (.+?) \| (.+?) \|$", _SECTION, re.MULTILINE)
]

each_row = pytest.mark.parametrize(("files", "services"), ROWS, ids=[files[0] for files, _ in ROWS])


@pytest.fixture
def secrets(secrets_directory, tmp_path) -> Path:
    return shutil.copytree(secrets_directory, tmp_path / "secrets")


def read(secrets: Path) -> dict[str, str]:
    return {each.name: each.read_text() for each in secrets.iterdir()}


def test_each_store_has_a_row():
    passwords = {name for files, _ in ROWS for name in files if name.endswith("_password")}
    assert passwords == {
        *("postgres_app_password", "postgres_monitor_password", "postgres_owner_password"),
        *("redis_password", "elastic_password", "mongodb_app_password"),
    }


@each_row
def test_the_files_that_are_removed_are_those_with_the_password(secrets, files, services):
    before = read(secrets)
    passwords = [before[name].strip() for name in files if name.endswith("_password")]
    for name in files:
        (secrets / name).unlink()
    subprocess.run(["sh", DEPLOY / "make-secrets.sh", secrets], check=True)
    after = read(secrets)
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == set(files)
    assert [name for name, text in after.items() if any(old in text for old in passwords)] == []


@each_row
def test_the_services_that_are_replaced_are_those_that_have_read_it(files, services):
    readers = {
        name
        for name, service in SERVICES.items()
        for read in (
            *(secret_name(each)[0] for each in service.get("secrets", [])),
            *(Path(each).name for each in service.get("env_file", [])),
        )
        if read in files
    }
    assert readers - ONCE - FIRST_START == services
