"""`clientforge up`: the whole system on one machine, with no server installed before."""

import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from api.commandline.options import DATA_DIR_VARIABLE, DataDir

if TYPE_CHECKING:
    from infrastructure.datadir import DataDirectory
    from infrastructure.log_files import LogFiles
    from infrastructure.processes import Process
    from infrastructure.supervisor import Supervisor

_SERVICES = ("worker", "sweeper", "serve")
_READY_SECONDS = 60.0
_QUIET = '"logger": "clientforge.projecting"'


def up_command(
    data_dir: DataDir = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            metavar="N",
            envvar="PORT",
            show_envvar=True,
            show_default=False,
            help="The API's port: that of the last start unless given, 3000 at first; 0 takes a free one.",
        ),
    ] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Import the sample data, once.")] = False,
) -> None:
    """Run the whole system on this machine: PostgreSQL, Redis, the API, the workers and the sweeper.

    Nothing has to be installed or set up before. Data, secrets and settings are kept in one directory
    (./.clientforge unless --data-dir names another), where one `up` at a time may run. Other commands find the system
    by --data-dir, other tools by the settings in DIR/clientforge.env. ELASTICSEARCH_URL and MONGODB_URL in the
    environment or in .env are used where they are set; without them, search and audit are kept in PostgreSQL.
    Without SMTP_HOST, mail becomes files in DIR/mail.

    SIGINT (Ctrl-C) and SIGTERM stop it in order. What ends by itself is started again.
    """
    from infrastructure.datadir import DEFAULT, DataDirectory

    place = DataDirectory(data_dir or DEFAULT)
    place.acquire()
    try:
        with _stopped_by_signals():
            _run(place, port, sample=sample)
    finally:
        place.release()


class _Stopped(BaseException):
    """Somebody asked for the end."""


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Turns the first signal to stop into the end of what runs; further ones are ignored, for stopping goes on."""

    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True
        for number in caught:
            signal.signal(number, signal.SIG_IGN)
        raise _Stopped

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    caught = [each for each in signals if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN]
    for number in caught:
        signal.signal(number, stop)
    try:
        yield
    except (_Stopped, Exception):
        # What a signal cuts short may fail on its way out, a migration's connection for one: that is no failure.
        if not stopping:
            raise
        print("Stopped.", flush=True)


def _run(place: "DataDirectory", port: int | None, *, sample: bool) -> None:
    from api.commandline.announcing import announce
    from api.commandline.firstuse import do_chores, make_first_tenant, note_moved_stores
    from infrastructure.log_files import LogFiles
    from infrastructure.onemachine import start_stores
    from infrastructure.processes import end_leftovers
    from infrastructure.supervisor import Supervisor

    shutil.rmtree(place.counts, ignore_errors=True)
    logs = LogFiles(place.logs)
    supervisor = Supervisor(partial(_say, logs))
    try:
        end_leftovers(place.path)
        known = place.secrets()
        values = _settings(place, known, port)
        values["FILES_DIR"] = values.get("FILES_DIR") or str(place.files)
        print(f"Starting ClientForge in {place.path}", flush=True)
        values.update(start_stores(place, known, supervisor))
        note_moved_stores(place, known, values)
        place.write_settings(values)
        first = make_first_tenant(place)
        for name in _SERVICES:
            supervisor.add(process(place, values, name, name, logs=logs))
        _wait_until_ready(supervisor, values)
        do_chores(place, values, supervisor, sample=sample)
        announce(place, values, first)
        supervisor.run(until=lambda: False)
    finally:
        supervisor.stop()
        logs.close()


def _say(logs: "LogFiles", name: str, line: str) -> None:
    """Writes a line of a process to its log, and shows it, unless it is one of the many about projecting."""
    from api.commandline.announcing import say

    logs.write(name, line)
    if _QUIET not in line:
        say(name, line)


def _settings(place: "DataDirectory", known: Mapping[str, str], port: int | None) -> dict[str, str]:
    """The settings of this run: what the last one had, under what the environment and .env say now."""
    from dotenv import dotenv_values

    from infrastructure.datadir import OPTIONAL_STORES
    from infrastructure.embedded import free_port
    from infrastructure.local_ports import refuse_taken_port

    given = {**dotenv_values(".env", interpolate=False), **os.environ}
    values = {name: value for name, value in known.items() if name not in OPTIONAL_STORES}
    for name, otherwise in (("ENVIRONMENT", "development"), ("HOST", "127.0.0.1"), ("DEFAULT_TENANT", "main")):
        values[name] = given.get(name) or known.get(name) or otherwise
    # Commands on this directory, too, must be told where people reach it: production refuses to start without.
    values.update({name: value for name in (*OPTIONAL_STORES, "PUBLIC_URL") if (value := given.get(name))})
    values.pop("MAIL_DIRECTORY", None)
    if not given.get("SMTP_HOST") and values["ENVIRONMENT"] != "production":
        values["MAIL_DIRECTORY"] = given.get("MAIL_DIRECTORY") or str(place.path / "mail")
    # Not that of the last start: the directory may have moved, and what is in it with it.
    values["FILES_DIR"] = os.path.abspath(named) if (named := given.get("FILES_DIR")) else ""
    if port is None:
        port = int(given.get("PORT") or known.get("PORT") or "3000")
    values["PORT"] = str(port or free_port())
    refuse_taken_port(int(values["PORT"]), values["HOST"], chosen_by="--port")
    return values


def process(
    place: "DataDirectory", values: Mapping[str, str], name: str, *command: str, logs: "LogFiles | None" = None
) -> "Process":
    """A command of this program as a child process that works on this system. Where there are `logs`, its output is
    kept there."""
    from dotenv import dotenv_values

    from api.commandline.announcing import say
    from infrastructure.datadir import OPTIONAL_STORES
    from infrastructure.processes import Process, mark, this_python
    from infrastructure.scrape_port import DIRECTORY_VARIABLE

    outside = {name: value for name, value in dotenv_values(".env", interpolate=False).items() if value is not None}
    outside.update(os.environ)
    for each in OPTIONAL_STORES:
        outside.pop(each, None)
    own = {DATA_DIR_VARIABLE: str(place.path), "PYTHONUNBUFFERED": "1", **mark(place.path)}
    own[DIRECTORY_VARIABLE] = str(place.counts)
    told = say if logs is None else partial(_say, logs)
    return Process(name, this_python(*command), say=told, environment={**outside, **values, **own})


def _wait_until_ready(supervisor: "Supervisor", values: Mapping[str, str]) -> None:
    """Returns when the API answers. Raises CommandFailed when it doesn't in time."""
    import time

    from api.commandline.announcing import answers
    from api.commandline.failures import CommandFailed

    deadline = time.monotonic() + _READY_SECONDS
    supervisor.run(until=lambda: answers(values) or time.monotonic() > deadline)
    if time.monotonic() > deadline:
        raise CommandFailed(f"The API doesn't answer on port {values['PORT']}: its lines above may say why.")
