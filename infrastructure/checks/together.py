"""Checks at the same time, none of which can hold up the others: what doesn't answer in time has failed."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from infrastructure.findings import Finding, failure

Check = Callable[[], Sequence[Finding]]

SECONDS = 20.0
"""How long a check may take. Each has shorter limits of its own; this is for a server that stops in mid-answer."""


def together(checks: Mapping[str, Check], seconds: float = SECONDS) -> list[Finding]:
    """Runs the checks, each in a thread of its own; what they find, in the order in which they are given."""
    found: dict[str, Sequence[Finding]] = {}

    def run(name: str, check: Check) -> None:
        try:
            found[name] = check()
        except Exception as error:
            found[name] = [failure(name, f"could not be looked at ({type(error).__name__})", "see the other checks")]

    # A thread that hangs must not keep the process from ending, as one of a pool would.
    threads = [threading.Thread(target=run, args=each, daemon=True) for each in checks.items()]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = f"no answer within {seconds:.0f} s"
    return [each for name in checks for each in found.get(name, [failure(name, late, "see whether its server hangs")])]
