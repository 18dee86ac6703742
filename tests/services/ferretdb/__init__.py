"""MongoDB's wire protocol by FerretDB 1, over a PostgreSQL database. Needs Go."""

import shutil
from pathlib import Path
from typing import Self

import pymongo
from pymongo.errors import PyMongoError

from infrastructure.embedded import Child, free_port
from tests.services.availability import Unavailable
from tests.services.cache import cached, run_showing_progress

HERE = Path(__file__).parent
# An operation of a batch holds a connection of the pool: a small one is exhausted by a single batch, for good.
POOL = 60


def prepare() -> Path:
    """Build the server, unless the cache has it; raises Unavailable."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin:/opt/homebrew/bin")
    if go is None:
        raise Unavailable("FerretDB (for MongoDB) needs Go 1.24 or newer: put go on the PATH")
    sources = [HERE / "go.mod", HERE / "go.sum", HERE / "main.go"]

    def build(directory: Path) -> None:
        command: list[str | Path] = [go, "build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-v"]
        command += ["-o", directory / "ferretdb", "."]
        run_showing_progress("Building FerretDB (a minute and a half the first time)", command, directory=HERE)

    return cached("ferretdb", sources, build) / "ferretdb"


class FerretDB:
    """A running server that keeps its documents in the PostgreSQL database of `postgresql_url`."""

    def __init__(self, directory: Path, postgresql_url: str) -> None:
        self._program = prepare()
        self._directory = directory
        self._postgresql_url = postgresql_url
        self._child: Child | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.url = f"mongodb://127.0.0.1:{port}/"
        backend = f"{self._postgresql_url}?pool_max_conns={POOL}"
        command: list[str | Path] = [self._program, f"127.0.0.1:{port}", backend]
        log = self._directory / "server.log"
        self._child = Child("FerretDB", command, log=log, directory=self._directory)
        self._child.start(lambda: answers(self.url))
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.stop(within=5)


def answers(url: str) -> bool:
    """Whether a server speaks MongoDB's protocol at `url`."""
    client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(
        url, serverSelectionTimeoutMS=500, connectTimeoutMS=500
    )
    with client:
        try:
            client.admin.command("ping")
        except PyMongoError:
            return False
    return True
