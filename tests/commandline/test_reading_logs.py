"""`clientforge logs`: the files that it reads, what it leaves out, and one request through all processes."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from infrastructure import log_files
from infrastructure.log_files import LogFiles, Wanted, ends_of, files, followed, parsed, read
from tests.commandline.conftest import Run, done, refused, without_settings


def line(second: int, message: str, level: str = "info", **others: object) -> str:
    return json.dumps({"time": f"2026-11-25T09:30:{second:02}.000Z", "level": level, "message": message, **others})


@pytest.fixture
def place(tmp_path) -> Path:
    """A data directory with the logs of two processes."""
    logs = LogFiles(tmp_path / "data" / "logs")
    logs.write("serve", line(1, "asked", request="r-1", tenant="t-1"))
    logs.write("serve", line(4, "failed", "error", request="r-2"))
    logs.write("serve", "Traceback that is no JSON")
    ids: dict[str, Any] = {"requests": ["r-1", "r-3"], "correlations": ["c-1", "c-3"], "actors": ["user-1", "user-3"]}
    logs.write("worker", line(2, "projected", request="r-1", tenant="t-1", **ids))
    logs.write("worker", line(3, "waits", "warning", tenant="t-2"))
    logs.close()
    return tmp_path / "data"


def messages(told: str) -> list[str]:
    return [json.loads(each)["message"] for each in told.splitlines()]


def test_the_lines_of_all_processes_are_in_the_order_of_their_times(run: Run, place):
    told = done(run("logs", "--json", "--data-dir", str(place)))
    assert messages(told) == ["asked", "projected", "waits", "failed", "Traceback that is no JSON"]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--request", "r-1"], ["asked", "projected"]),
        (["--request", "r-3"], ["projected"]),
        (["--correlation", "c-3"], ["projected"]),
        (["--actor", "user-3", "--tenant", "t-1"], ["projected"]),
        (["--actor", "user"], []),
        (["--tenant", "t-2"], ["waits"]),
        (["--process", "worker", "--level", "warning"], ["waits"]),
        (["--level", "error"], ["failed", "Traceback that is no JSON"]),
        (["--since", "2026-11-25T09:30:03", "--process", "worker"], ["waits"]),
        (["--since", "2026-11-25 10:30:03+01:00", "--process", "worker"], ["waits"]),
        (["--since", "2026-11-25", "--process", "worker"], ["projected", "waits"]),
        (["--since", "2026-11-26", "--process", "worker"], []),
        (["--text", "PROJECT"], ["projected"]),
        (["-n", "1"], ["Traceback that is no JSON"]),
        (["--request", "r-9"], []),
    ],
)
def test_lines_are_filtered(run: Run, place, options, found):
    assert messages(done(run("logs", "--json", *options, "--data-dir", str(place)))) == found


@pytest.mark.parametrize("since", ["12:00 nonsense", "12:00", "yesterday", "2026-13-01"])
def test_a_time_that_is_not_understood_is_refused(run: Run, place, since):
    assert f"not {since!r}" in refused(run("logs", "--since", since, "--data-dir", str(place)), 2)


def test_people_read_lines_and_no_json(run: Run, place):
    told = done(run("logs", "--process", "serve", "-n", "2", "--data-dir", str(place))).splitlines()
    assert told == ["serve   | 09:30:04 error   failed request=r-2", "serve   | Traceback that is no JSON"]


def test_what_another_program_collected_is_piped_in(run: Run):
    piped = f"{line(1, 'one')}\n{line(2, 'two', 'error')}\n"
    assert messages(done(run("logs", "-", "--json", "--level", "error", answer=piped))) == ["two"]


def test_without_logs_it_says_where_they_would_be(run: Run, tmp_path):
    assert "`clientforge up` writes them" in refused(run("logs", "--data-dir", str(tmp_path)), 1)
    assert "There is no file" in refused(run("logs", "nowhere.log"), 2)
    assert "leave FILE out" in refused(run("logs", "-", "--follow"), 2)


def test_a_full_file_begins_anew_and_old_ones_are_read_first(tmp_path, monkeypatch):
    monkeypatch.setattr(log_files, "MOST_BYTES", 300)
    logs = LogFiles(tmp_path)
    for second in range(14):
        logs.write("worker", line(second, f"number {second}"))
    logs.close()
    assert [path.name for path in files(tmp_path)] == [
        *("worker.log.4", "worker.log.3", "worker.log.2", "worker.log.1", "worker.log")
    ]
    assert [each["message"] for each in read(files(tmp_path))] == [f"number {second}" for second in range(14)]
    assert max(path.stat().st_size for path in files(tmp_path)) <= 300


def test_followed_logs_go_on_with_what_is_written_and_with_the_file_that_takes_its_place(tmp_path, monkeypatch):
    logs = LogFiles(tmp_path)
    logs.write("worker", line(0, "before"))
    seen: list[str] = []
    ends, stop = ends_of(tmp_path), threading.Event()

    def follow() -> None:
        for each in followed(tmp_path, None, stop.is_set, ends):
            seen.append(str(each["message"]))  # noqa: PERF401 - each is seen at once

    follower = threading.Thread(target=follow)
    follower.start()
    time.sleep(0.5)
    for second in range(3):
        logs.write("worker", line(second, f"number {second}"))
    _until(lambda: len(seen) == 3)
    logs._files["worker"].doRollover()
    logs.write("worker", line(9, "after the change"))
    logs.write("sweeper", line(9, "of a new process"))
    _until(lambda: len(seen) == 5)
    stop.set()
    follower.join(10)
    logs.close()
    assert seen[:3] == ["number 0", "number 1", "number 2"]
    assert set(seen[3:]) == {"after the change", "of a new process"}


@pytest.mark.parametrize("begins_anew", [False, True])
def test_what_is_written_while_the_rest_is_read_is_followed_and_not_read(tmp_path, begins_anew):
    logs = LogFiles(tmp_path)
    logs.write("worker", line(0, "before"))
    ends = ends_of(tmp_path)
    logs.write("worker", line(1, "meanwhile"))
    if begins_anew:
        logs._files["worker"].doRollover()
        logs.write("worker", line(2, "in a new file"))
    logs.close()
    assert [each["message"] for each in read(files(tmp_path), ends)] == ["before"]
    wanted = ["meanwhile", "in a new file"][: 1 + begins_anew]
    seen: list[str] = []
    for each in followed(tmp_path, None, lambda: len(seen) == len(wanted), ends):
        seen.append(str(each["message"]))  # noqa: PERF401 - each is seen at once
    assert seen == wanted


def test_the_command_follows_with_its_filter_and_from_where_it_began_to_read(place):
    """It waits for its reader, who has taken one line of more than a pipe holds, while the next are written."""
    logs = LogFiles(place / "logs")
    for second in range(200):
        logs.write("serve", line(second % 60, "x" * 1000, "error"))
    command = ["logs", "--follow", "--level", "error", "--json", "--data-dir", str(place)]
    with subprocess.Popen(
        [sys.executable, "-m", "api.commandline", *command],
        stdout=subprocess.PIPE,
        text=True,
        env=without_settings(os.environ),
    ) as process:
        ended = threading.Timer(60, process.kill)
        ended.start()
        assert process.stdout is not None
        shown = [process.stdout.readline()]
        logs.write("serve", line(59, "left out"))
        logs.write("worker", line(59, "followed", "error"))
        shown += [process.stdout.readline() for _ in range(200)]
        ended.cancel()
        process.kill()
    logs.close()
    assert messages("".join(shown))[-1] == "followed"
    assert "left out" not in "".join(shown)


def test_a_line_that_is_no_json_counts_for_every_level():
    assert Wanted(level="error").holds(parsed("serve", "a crash"))
    assert not Wanted(ids={"tenant": "t-1"}).holds(parsed("serve", "a crash"))


def _until(is_so) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
