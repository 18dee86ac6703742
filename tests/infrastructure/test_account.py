"""The account that root's servers run under is made once, however many processes begin at once on a fresh machine."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure.embedded.account import ACCOUNT

ROOT = Path(__file__).parents[2]
HERE = 'mount --bind "$1" /etc && shift && exec "$@"'
AT_ONCE = """
from multiprocessing import get_context
from infrastructure.embedded.account import unprivileged_account

forked, count = get_context("fork"), 8
start = forked.Barrier(count)

def make(_):
    start.wait()
    return unprivileged_account().uid

with forked.Pool(count) as processes:
    print(*set(processes.map(make, range(count), chunksize=1)))
"""
ONCE = "from infrastructure.embedded.account import unprivileged_account; print(unprivileged_account().uid)"
LOCKED_AT_FIRST = """#!/bin/sh
[ -e "$0.asked" ] && exec /usr/sbin/useradd "$@"
touch "$0.asked"
echo "useradd: cannot lock /etc/passwd; try again later." >&2
exit 1
"""


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A copy of /etc without the account."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("only root has accounts made, and sees a directory of its own as /etc")
    fresh = tmp_path / "etc"
    shutil.copytree("/etc", fresh, symlinks=True)
    for name in ("passwd", "group", "shadow", "gshadow"):
        lines = (fresh / name).read_text().splitlines(keepends=True)
        (fresh / name).write_text("".join(line for line in lines if not line.startswith(f"{ACCOUNT}:")))
    return fresh


def made(fresh: Path, script: str, path: str = os.environ["PATH"]) -> str:
    """What a script prints where `fresh` is /etc, which must be the number of the account there."""
    command = ["unshare", "--mount", "sh", "-c", HERE, "sh", str(fresh), sys.executable, "-c", script]
    ended = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    entries = [line.split(":") for line in (fresh / "passwd").read_text().splitlines()]
    assert [uid for name, _, uid, *_ in entries if name == ACCOUNT] == [ended.stdout.strip()]
    return ended.stdout


def test_processes_that_begin_at_once_get_one_account(fresh: Path) -> None:
    assert made(fresh, AT_ONCE)


def test_while_another_program_changes_accounts_it_is_tried_again(fresh: Path, tmp_path: Path) -> None:
    program = tmp_path / "useradd"
    program.write_text(LOCKED_AT_FIRST)
    program.chmod(0o755)
    assert made(fresh, ONCE, f"{tmp_path}:{os.environ['PATH']}")
