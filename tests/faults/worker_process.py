"""A worker's process for tests: the real one over settings from the environment, but slow to project.

python -m tests.faults.worker_process work|dying
"""

import sys
import threading

from infrastructure.bootstrap import build
from infrastructure.postgres import is_passing
from infrastructure.settings import Settings
from infrastructure.stopping import stop_signals
from infrastructure.worker import run_worker
from projections.catalogue import groups
from projections.engine import Engine
from projections.setbacks import Pace
from tests.faults.stores import TABLES, Heard


def main(how: str) -> int:
    """Runs until a signal, or until its consumers are made to die."""
    app = build(Settings.load(_env_file=None))
    heard = [Heard(table) for table in TABLES]
    heard[1].whims.seconds = 0.02
    app.engine = Engine(
        app.engine.database,
        app.store,
        groups(app.database, app.search, app.trail, heard),
        is_away=is_passing,
        pace=Pace(batch=50),
    )
    if how == "dying":
        threading.Timer(0.7, setattr, (app.broker, "do_fetch", _die)).start()
    with stop_signals() as stop:
        print("ready", flush=True)
        return run_worker(app, stop)


def _die(*_: object) -> None:
    raise SystemExit


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
