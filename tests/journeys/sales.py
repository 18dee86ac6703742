"""A real year of sales, which lies beside the repository and not in it, and how it comes into a tenant."""

import time

from tests.architecture.sources import ROOT
from tests.journeys.system import System

DATA = ROOT.parent / "shared" / "data" / "crm-sales-opportunities"
MAPS = ROOT / "docs" / "samples" / "crm-sales-opportunities"
FILES = {"users": "sales_teams", "products": "products", "accounts": "accounts", "deals": "sales_pipeline"}
TENANT = "hardware"


def import_all(system: System) -> float:
    """Imports the four files; the seconds that it took."""
    start = time.monotonic()
    for kind, name in FILES.items():
        done = system.run(
            "import", kind, str(DATA / f"{name}.csv"), "--map", str(MAPS / f"{kind}.toml"), "--tenant", TENANT
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return time.monotonic() - start
