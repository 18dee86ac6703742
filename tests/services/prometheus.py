"""Prometheus and Alertmanager with their checkers: the machine's, else Debian's packages, used without installing."""

from pathlib import Path

from tests.services.cache import cached
from tests.services.debian import installed, unpack

PACKAGES = {"prometheus": ("prometheus", "promtool"), "prometheus-alertmanager": ("alertmanager", "amtool")}
DEBIANS_NAMES = {"alertmanager": "prometheus-alertmanager"}
"""Programs that Debian calls otherwise."""
SHARED = b"/usr/share/prometheus/alertmanager"
"""Where Debian's Alertmanager has the templates that others have built in."""


def prepare() -> Path:
    """The directory with `prometheus`, `promtool`, `alertmanager` and `amtool`; raises Unavailable.

    Alertmanager is to be started in the directory `templates` beside it.
    """
    return cached("prometheus", [Path(__file__)], _gather) / "bin"


def _gather(directory: Path) -> None:
    (directory / "bin").mkdir()
    (directory / "templates").mkdir()
    for package, programs in PACKAGES.items():
        found = {program: installed(program) or installed(_debians(program)) for program in programs}
        if None in found.values():
            # Pages and scripts of the web interface are all that it needs besides, and no test looks at it.
            places = {"bin": "usr/bin/*", "templates": f"{SHARED.decode().lstrip('/')}/*.tmpl"}
            unpack(directory, package, places, with_needed=False)
            for program in programs:
                (directory / "bin" / _debians(program)).rename(directory / "bin" / program)
            if "alertmanager" in programs:
                _have_templates_where_it_starts(directory / "bin" / "alertmanager")
        else:
            for program, path in found.items():
                (directory / "bin" / program).symlink_to(str(path))


def _debians(program: str) -> str:
    return DEBIANS_NAMES.get(program, program)


def _have_templates_where_it_starts(alertmanager: Path) -> None:
    """Replaces the path in the program, by one of the same length that says `here`."""
    alertmanager.write_bytes(alertmanager.read_bytes().replace(SHARED, b"./" * (len(SHARED) // 2)))
