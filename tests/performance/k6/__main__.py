"""`python -m tests.performance.k6 smoke|full|soak [--contacts N] [--summary FILE]`: the real k6 against the real stack.

Everything runs on this machine, k6 too, so that it takes its share of the processors from what it measures.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fixtures import PASSWORDS, WIDE_LIMITS, copied, prepare_template
from tests.journeys.system import System, environment, running
from tests.performance.k6.running import run
from tests.performance.populace import settle
from tests.services.session import ServiceSession

TENANTS, USERS = 10, 40
MODES = ("smoke", "full", "soak")


def main() -> int:
    """Runs the load; 1 when a gate does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.performance.k6", description=__doc__)
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--contacts", type=int, default=100_000, help="of all tenants together")
    parser.add_argument("--summary", type=Path, help="also write k6's summary there, as JSON")
    arguments = parser.parse_args()
    with ServiceSession() as services, TemporaryDirectory() as place:
        superuser = services.postgres.superuser_url
        urls = copied(superuser, prepare_template(superuser, PASSWORDS))
        stores = (services.redis_url, services.elasticsearch_url, services.mongodb_url)
        own = {"API_PROCESSES": "2", "DATABASE_PREPARE_THRESHOLD": "5", "LOG_LEVEL": "warning"}
        variables = {**environment(urls, *stores), **own}
        for name in WIDE_LIMITS:  # the limits that users have, not those of other tests
            variables.pop(name.upper())
        with running(variables, Path(place)) as system:
            small = _fill(system, Path(place), arguments.contacts)
            told = {"tenants": TENANTS, "users": USERS, "contacts": small}
            run(system, "warm", Path(place), **told)  # a server that was just started compiles and connects first
            before = system.memory()
            found = run(system, arguments.mode, Path(place), **told)
            if arguments.summary:
                arguments.summary.write_text(found.text)
            print(found.table(f"k6, {arguments.mode}"), flush=True)
            for name, megabytes in system.memory().items():
                print(f"       {name:<8} {before[name]:.0f} MB of memory before, {megabytes:.0f} after", flush=True)
            if arguments.mode == "full":
                _try_goal(system, Path(place), told)
    return 0 if found.holds else 1


def _try_goal(system: System, place: Path, told: Mapping[str, int]) -> None:
    try:
        print(run(system, "goal", place, **told).goal(), flush=True)
    except RuntimeError as failure:  # it decides nothing, whatever becomes of it
        print(f"Our own goal: not met, {failure}", flush=True)


def _fill(system: System, place: Path, contacts: int) -> int:
    """Half of all contacts are one tenant's, the others are shared out; how many each of the others has."""
    started = time.monotonic()
    small = contacts // 2 // (TENANTS - 1)
    counts = {f"load-{number}": small for number in range(1, TENANTS)}
    settle(system, place, contacts={"load-0": contacts - sum(counts.values()), **counts}, users=USERS)
    imported = time.monotonic() - started
    system.wait_until_projected(900)
    print(
        f"{contacts:,} contacts of {TENANTS} tenants: imported in {imported:.0f} s, everywhere to be found after "
        f"{time.monotonic() - started:.0f} s",
        flush=True,
    )
    return small


if __name__ == "__main__":
    sys.exit(main())
