"""`clientforge serve`, `worker` and `sweeper`: the processes of a system, each on its own."""

import logging.config
import os
from typing import TYPE_CHECKING

from api.commandline.failures import TRACEBACK_VARIABLE
from api.commandline.options import DataDir

if TYPE_CHECKING:
    from pathlib import Path

    from infrastructure.settings import Settings


def serve_command(data_dir: DataDir = None) -> None:
    """Answer HTTP requests on HOST and PORT, with API_PROCESSES processes.

    Stateless: any number of these may stand behind a load balancer.
    """
    from api.serving import run

    found = _settings(data_dir)
    _refuse_what_is_unsafe(found)
    run(found)


def worker_command(data_dir: DataDir = None) -> None:
    """Project the log into the read models, the search index and the audit trail, as it grows.

    WORKER_PROCESSES times WORKER_THREADS tenants are worked on at once; any number of machines may run workers.
    """
    from api.logs import logging_as_json
    from infrastructure.worker import run

    found = _settings(data_dir)
    run(found, logging_as_json(found.log_level))


def sweeper_command(data_dir: DataDir = None) -> None:
    """Wake the workers where a log is ahead of its projections and no message says so.

    One is enough; several do no harm.
    """
    from infrastructure.sweeper import run

    run(_settings(data_dir))


def _refuse_what_is_unsafe(settings: "Settings") -> None:
    """Raises UnsafeRole, and CommandFailed for the published password in production: once, and not in each worker."""
    from contextlib import closing

    from api.commandline.seeding import refuse_published_password
    from infrastructure.bootstrap import build

    with closing(build(settings)) as built:
        if settings.environment == "production":
            refuse_published_password(built)


def _settings(data_dir: "Path | None") -> "Settings":
    from api.commandline.context import settings
    from api.logs import logging_as_json

    os.environ.setdefault(TRACEBACK_VARIABLE, "1")  # a process's log is where the cause is looked for
    found = settings(data_dir)
    logging.config.dictConfig(logging_as_json(found.log_level))
    return found
