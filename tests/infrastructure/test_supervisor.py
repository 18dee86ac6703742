"""The supervisor: what ends is started again, what stops stops in order, and nothing is left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from infrastructure.processes import Process, end_leftovers, mark
from infrastructure.supervisor import Supervisor

Lines = list[tuple[str, str]]


@pytest.fixture
def lines() -> Lines:
    return []


def python(name: str, code: str, lines: Lines, **others) -> Process:
    return Process(
        name,
        [sys.executable, "-u", "-c", code],
        say=lambda name, line: lines.append((name, line)),
        environment={**os.environ, **others.pop("environment", {})},
        **others,
    )


def supervisor(lines: Lines) -> Supervisor:
    return Supervisor(lambda name, line: lines.append((name, line)))


def until(condition: Callable[[], bool], seconds: float = 20) -> Callable[[], bool]:
    """The condition, or a failed test when it doesn't come true in time."""
    deadline = time.monotonic() + seconds

    def reached() -> bool:
        assert time.monotonic() < deadline
        return condition()

    return reached


def test_each_line_is_said_with_its_process(lines):
    process = python("talker", "print('one'); print('two')", lines)
    process.start()
    supervisor(lines).run(until(lambda: len(lines) == 2))
    process.stop()

    assert lines == [("talker", "one"), ("talker", "two")]


def test_what_ends_is_started_again_after_growing_pauses(lines):
    watching = supervisor(lines)
    watching.add(python("short", "import sys; sys.exit(3)", lines))
    watching.run(until(lambda: len(lines) == 2))
    watching.stop()

    assert lines == [
        ("short", "ended with exit code 3; it starts again in 0.5 s"),
        ("short", "ended with exit code 3; it starts again in 1 s"),
    ]


def test_services_stop_in_the_reverse_order_of_their_start(lines):
    code = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: (print('stopping'), sys.exit()))
print('up')
while True: signal.pause()
"""
    watching = supervisor(lines)
    for name in ("first", "second"):
        watching.add(python(name, code, lines))
    watching.run(until(lambda: len(lines) == 2))
    watching.stop()

    assert lines[2:] == [("second", "stopping"), ("first", "stopping")]


def test_a_process_that_does_not_listen_is_killed_with_what_it_started(lines):
    code = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(100)']).pid)
signal.pause()
"""
    process = python("deaf", code, lines, patience=0.2)
    process.start()
    supervisor(lines).run(until(lambda: len(lines) == 1))
    process.stop()

    assert process.exit_code == -signal.SIGKILL
    assert _is_gone(int(lines[0][1]))


def test_what_a_killed_run_has_left_is_ended_and_nothing_else(tmp_path, lines):
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1); time.sleep(100)"
    ours = python("ours", code, lines, environment=mark(tmp_path))
    another = python("another", code, lines, environment=mark(tmp_path / "another"), patience=0.1)
    for process in (ours, another):
        process.start()
    supervisor(lines).run(until(lambda: len(lines) == 2))

    assert end_leftovers(tmp_path, patience=0.2) == 1
    assert (ours.running, another.running) == (False, True)
    another.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_processes_end_with_a_killed_supervisor(tmp_path: Path):
    code = """
import os, sys, time
from infrastructure.processes import Process
from infrastructure.supervisor import Supervisor
supervisor = Supervisor(lambda *_: None)
process = Process("child", [sys.executable, "-c", "import time; time.sleep(100)"], say=print, environment=os.environ)
supervisor.add(process)
print(process._child.pid, flush=True)
time.sleep(100)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()

    assert _is_gone(child)


def _is_gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False
