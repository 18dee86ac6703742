"""A process is killed at each step of attaching or erasing a file: what the log says is there is there, and no more."""

import signal
import subprocess
import sys
import time

import pytest

from tests.api.filing_process import STEPS
from tests.api.served import variables_of
from tests.api.stand import company
from tests.api.uploads import attached, on_disk, stored

ERASING = [name for name in STEPS if name.startswith(("before its", "after its"))]
ATTACHING = [name for name in STEPS if name not in ERASING]


@pytest.fixture
def firm(application, client):
    return company(application, client)


@pytest.fixture
def account(firm) -> str:
    return firm.admin.makes("/accounts", {"name": "Analytical Engines"})


def killed(firm, step: str, what: str, id: str) -> None:
    """The process has died at that step."""
    command = [sys.executable, "-m", "tests.api.filing_process", step, str(firm.profile.id), what, id]
    done = subprocess.run(command, env=variables_of(firm.application.settings), capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def files(firm):
    """The tenant's files by the log, whatever the lists have of it yet."""
    log = firm.application.store.log(firm.profile.id, after=0, limit=1000)
    return {str(each.id) for each in log if each.entity == "file"}


@pytest.mark.parametrize("step", ATTACHING)
def test_an_attachment_that_is_cut_short_is_there_as_a_whole_or_not_at_all(firm, account, step, api_settings):
    killed(firm, step, "attach", account)
    there = files(firm)
    assert len(there) == step.startswith("after")
    for swept in (False, True):
        for file in there:
            content = firm.admin.ask(
                "GET", f"/files/{file}/content", headers={"ClientForge-Min-Position": str(head(firm))}
            )
            assert content.content == b"abc"
        if not swept:
            assert firm.application.filing.clear_leftovers(3600) == 0
            assert firm.application.filing.clear_leftovers(0) == (step != "after it is kept")
    assert {path.name for path in on_disk(api_settings.files_dir, firm.profile.id)} == there
    assert all("kept" in path.parts for path in on_disk(api_settings.files_dir, firm.profile.id))
    assert stored(firm) == 3 * len(there)
    assert firm.application.filing.clear_leftovers(0) == 0


@pytest.mark.parametrize("step", ["before it is in the log", *ERASING])
def test_an_erasure_that_is_cut_short_ends_with_the_next_sweep(firm, account, step, api_settings):
    file = attached(firm.admin, account, b"abc")
    killed(firm, step, "erase", file)
    decided = step in ERASING
    left = {path.name for path in on_disk(api_settings.files_dir, firm.profile.id)}
    assert left == (set() if step == "after its bytes are" else {file})
    assert firm.application.filing.clear_leftovers(0) == len(left)
    assert {path.name for path in on_disk(api_settings.files_dir, firm.profile.id)} == (set() if decided else {file})
    assert stored(firm) == (0 if decided else 3)
    answer = firm.admin.ask("GET", f"/files/{file}/content", headers={"ClientForge-Min-Position": str(head(firm))})
    assert answer.status_code == (410 if decided else 200)
    history = firm.admin.get(f"/files/{file}/history").text
    assert ("letter.txt" in history) != decided


def head(firm) -> int:
    return firm.application.store.head(firm.profile.id)


def test_the_sweeper_looks_after_what_is_left(firm, account, api_settings):
    killed(firm, "before it is in the log", "attach", account)
    assert on_disk(api_settings.files_dir, firm.profile.id)
    variables = {**variables_of(api_settings), "UPLOAD_LEFTOVER_SECONDS": "0", "SWEEP_SECONDS": "0.1"}
    sweeper = subprocess.Popen([sys.executable, "-m", "api.commandline", "sweeper"], env=variables)
    try:
        deadline = time.monotonic() + 30
        while on_disk(api_settings.files_dir, firm.profile.id):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        sweeper.terminate()
        sweeper.wait(30)
    assert stored(firm) == 0
