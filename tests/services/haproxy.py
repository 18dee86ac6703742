"""HAProxy: the machine's, else Debian's package, which is used without installing it."""

from pathlib import Path

from tests.services.cache import cached
from tests.services.debian import installed, unpack


def prepare() -> Path:
    """The program, with the libraries that it needs in `lib` beside its directory; raises Unavailable."""
    return installed("haproxy") or cached("haproxy", [Path(__file__)], _unpack) / "bin" / "haproxy"


def _unpack(directory: Path) -> None:
    unpack(directory, "haproxy", {"bin": "usr/sbin/haproxy", "lib": "usr/lib/*/lib*.so*"})
