"""Programs out of Debian's packages, used without installing them: that would start services."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.services.availability import Unavailable
from tests.services.cache import run_showing_progress


def installed(program: str) -> Path | None:
    """Where the machine has a program, None without it."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin:/opt/homebrew/bin")
    return None if found is None else Path(found)


def unpack(directory: Path, wanted: str, places: Mapping[str, str], *, with_needed: bool = True) -> None:
    """Fetches a package (and what it needs that isn't here), and copies from it what is asked for.

    `places`: patterns of files in the package, by the directory below `directory` to put them in. Raises Unavailable.
    """
    if shutil.which("apt-get") is None:
        raise Unavailable(f"{wanted} is not installed")
    if not _needed(wanted) and os.geteuid() == 0:
        run_showing_progress("Fetching the list of packages", ["apt-get", "update"])
    packages = _needed(wanted)
    if not packages:
        raise Unavailable(
            f"{wanted} is not installed, and apt knows no package of that name ('apt-get update' may help)"
        )
    root = directory / "root"
    root.mkdir(exist_ok=True)
    fetched = packages if with_needed else [wanted]
    run_showing_progress(f"Downloading {wanted}", ["apt-get", "download", *fetched], directory=root)
    for package in root.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, root], check=True)
    for place, pattern in places.items():
        (directory / place).mkdir(exist_ok=True)
        for file in root.glob(pattern):
            shutil.copy(file, directory / place)
    shutil.rmtree(root)


def _needed(package: str) -> list[str]:
    """The packages that installing one would bring to this machine; none when apt doesn't know it."""
    command = ["apt-get", "install", "--simulate", "--no-install-recommends", package]
    simulated = subprocess.run(command, capture_output=True, text=True, check=False)
    return re.findall(r"^Inst (\S+)", simulated.stdout, re.MULTILINE)
