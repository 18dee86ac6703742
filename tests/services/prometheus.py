"""Prometheus and Alertmanager with their checkers: the machine's, else Debian's packages, used without installing."""

from pathlib import Path

from tests.services.cache import cached
from tests.services.debian import installed, unpack

PACKAGES = {"prometheus": ("prometheus", "promtool"), "prometheus-alertmanager": ("amtool",)}


def prepare() -> Path:
    """The directory with `prometheus`, `promtool` and `amtool`; raises Unavailable."""
    return cached("prometheus", [Path(__file__)], _gather) / "bin"


def _gather(directory: Path) -> None:
    (directory / "bin").mkdir()
    for package, programs in PACKAGES.items():
        found = {program: installed(program) for program in programs}
        if None in found.values():
            # Pages and scripts of the web interface are all that it needs besides, and no test looks at it.
            unpack(directory, package, {"bin": "usr/bin/*"}, with_needed=False)
        else:
            for program, path in found.items():
                (directory / "bin" / program).symlink_to(str(path))
