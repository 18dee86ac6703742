"""What Litestar and Granian could do at best on this machine: handlers that do one SELECT, or one append, and no more.

`python -m tests.performance.ceiling PORT PROCESSES` serves them for the database of DATABASE_URL.
"""

import os
import sys
from uuid import UUID, uuid4

from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server import Server
from litestar import Litestar, Response, get, post

from infrastructure.postgres import Database
from tests.fixtures import event_store
from tests.performance.writers import PERSONAL, append_contact

_ONE = "SELECT document::text AS document FROM accounts WHERE tenant_id = %(tenant)s AND id = %(id)s"


def load() -> Litestar:
    """The application of one process."""
    database = Database(os.environ["DATABASE_URL"])
    store = event_store(database)

    @get("/one/{tenant:uuid}/{id:uuid}", sync_to_thread=True)
    def one(tenant: UUID, id: UUID) -> Response[bytes]:
        row = database.read(tenant, _ONE, {"id": id})[0]
        return Response(row["document"].encode(), media_type="application/json")

    @post("/append/{tenant:uuid}", sync_to_thread=True)
    def append(tenant: UUID) -> Response[bytes]:
        append_contact(store, tenant, f"contact-{uuid4()}", PERSONAL)
        return Response(b"{}", media_type="application/json")

    return Litestar([one, append], openapi_config=None, logging_config=None)


if __name__ == "__main__":
    Server(
        "tests.performance.ceiling:load",
        factory=True,
        address="127.0.0.1",
        port=int(sys.argv[1]),
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=int(sys.argv[2]),
        log_level=LogLevels.warning,
    ).serve()
