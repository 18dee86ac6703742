"""How a command ends that a signal stops, and that has something to remove on its way out."""

import signal
import sys


def end_in_order() -> None:
    """Lets SIGTERM, SIGHUP and SIGINT end this process as an exception does, from here on: what it made is removed.

    Further ones are ignored meanwhile. What is ignored from the start, as SIGHUP is under nohup, stays so.
    """
    signals = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    caught = [each for each in signals if signal.getsignal(each) != signal.SIG_IGN]

    def end(number: int, _frame: object) -> None:
        for each in caught:
            signal.signal(each, signal.SIG_IGN)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + number)

    for each in caught:
        signal.signal(each, end)
