"""`clientforge logs`: what the processes of a system logged, read, filtered, and followed."""

import json
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from api.commandline.failures import CommandFailed, WrongUsage
from api.commandline.options import DataDir

if TYPE_CHECKING:
    from infrastructure.log_files import Line, Wanted


def logs_command(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", show_default=False, help="A log to read instead; - is standard input."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is logged from now on.")] = False,
    process: Annotated[
        Literal["serve", "worker", "sweeper"] | None, typer.Option(help="Only this process.", show_default=False)
    ] = None,
    level: Annotated[
        Literal["debug", "info", "warning", "error"], typer.Option(help="At least of this level.")
    ] = "debug",
    request: Annotated[
        str | None, typer.Option(metavar="ID", help="Only of this request, in all processes.", show_default=False)
    ] = None,
    correlation: Annotated[
        str | None, typer.Option(metavar="ID", help="Only of this correlation.", show_default=False)
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Only of this tenant, by its id: see tenant list.", show_default=False),
    ] = None,
    actor: Annotated[
        str | None, typer.Option(metavar="user-ID", help="Only of this actor.", show_default=False)
    ] = None,
    since: Annotated[
        str,
        typer.Option(metavar="TIME", help="Not before this time in UTC, such as 2026-11-25T09:30.", show_default=False),
    ] = "",
    text: Annotated[
        str, typer.Option("--text", metavar="TEXT", help="With this text in them.", show_default=False)
    ] = "",
    last: Annotated[int, typer.Option("--last", "-n", min=0, metavar="N", help="The last N of them; 0: all.")] = 200,
    raw: Annotated[bool, typer.Option("--json", help="As JSON lines.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Show what the system's processes logged: requests, batches of projections, warnings and errors.

    Without FILE, the logs that `clientforge up` keeps in its data directory. Elsewhere, whatever collects the
    processes' output can be piped in.
    """
    from infrastructure.log_files import Wanted

    ids = {"request": request, "correlation": correlation, "tenant": tenant, "actor": actor}
    wanted = Wanted(
        level=level, ids={name: value for name, value in ids.items() if value}, since=_moment(since), text=text
    )
    if file is not None:
        if follow or process:
            raise WrongUsage("--follow and --process are for the logs of a data directory: leave FILE out.")
        _show(_last(_given(file), wanted, last), raw=raw)
        return
    directory = _directory(data_dir)
    from infrastructure.log_files import ends_of, files, followed, read

    ends = ends_of(directory, process) if follow else None
    _show(_last(read(files(directory, process), ends), wanted, last), raw=raw)
    if ends is not None:
        _show((line for line in followed(directory, process, lambda: False, ends) if wanted.holds(line)), raw=raw)


def _moment(told: str) -> str:
    """A time as the lines write it; empty where none is told."""
    if not told:
        return ""
    try:
        moment = datetime.fromisoformat(told)
    except ValueError:
        raise WrongUsage(f"--since takes a date or a time such as 2026-11-25T09:30, not {told!r}.") from None
    utc = moment.astimezone(UTC) if moment.tzinfo else moment
    return utc.strftime("%Y-%m-%dT%H:%M:%S.") + f"{utc.microsecond // 1000:03}Z"


def _directory(data_dir: Path | None) -> Path:
    from api.commandline.context import named_directory
    from infrastructure.datadir import DEFAULT, DataDirectory

    place = DataDirectory(named_directory(data_dir) or DEFAULT)
    if not place.logs.is_dir():
        raise CommandFailed(
            f"{place.path} holds no logs: `clientforge up` writes them. The output of other processes is wherever "
            "it was sent; pipe it in: `… | clientforge logs -`."
        )
    return place.logs


def _given(file: Path) -> Iterator["Line"]:
    from infrastructure.log_files import parsed, read

    if str(file) == "-":
        return (parsed("-", line.rstrip("\n")) for line in sys.stdin)
    if not file.is_file():
        raise WrongUsage(f"There is no file {file}.")
    return read([file])


def _last(lines: Iterable["Line"], wanted: "Wanted", last: int) -> Iterable["Line"]:
    found = (line for line in lines if wanted.holds(line))
    return deque(found, last) if last else found


def _show(lines: Iterable["Line"], *, raw: bool) -> None:
    from api.commandline.announcing import readable

    for line in lines:
        if raw:
            print(json.dumps(line, ensure_ascii=False), flush=True)
        else:
            process = line.pop("process")
            told = line["message"] if set(line) == {"message"} else readable(json.dumps(line, ensure_ascii=False))
            print(f"{process:<8}|", told, flush=True)
