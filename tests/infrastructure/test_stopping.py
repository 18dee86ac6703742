"""A process's stop: asked by signals, at any moment between the first connection and the last."""

import os
import signal
import threading
import time

import pytest

from infrastructure.stopping import stop_signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_for_it_and_a_second_one_does_no_harm(number):
    told = []
    with stop_signals() as stop:
        stop.also(lambda: told.append("first"))
        stop.also(lambda: told.append("second"))
        assert not stop.wait(0)
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)

        assert stop.wait(10)
        assert told == ["first", "second"], "a second time it might wait for a lock that the first holds"


def test_who_comes_after_it_was_asked_is_told_at_once():
    told = []
    with stop_signals() as stop:
        stop.ask()
        stop.also(lambda: told.append("late"))

        assert told == ["late"]


def test_a_wait_ends_when_it_is_asked():
    started = time.monotonic()
    with stop_signals() as stop:
        asking = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM))
        asking.start()

        assert stop.wait(60)
        assert time.monotonic() - started < 30
        asking.join()


def test_signals_mean_afterwards_what_they_meant_before():
    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
    with stop_signals():
        within = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]

    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == before
    assert not set(within) & set(before)
