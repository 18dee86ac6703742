"""Every failure as one sentence on stderr and an exit code: 1 for what failed, 2 for wrong usage."""

import os
import sys
import traceback

TRACEBACK_VARIABLE = "CLIENTFORGE_TRACEBACK"

FAILED, MISUSED = 1, 2


class CommandFailed(Exception):
    """A command could not do what it was asked for; the message says why."""

    exit_code = FAILED


class WrongUsage(CommandFailed):
    """A command was asked for something that it can't do."""

    exit_code = MISUSED


def report(error: Exception) -> int:
    """Says on stderr what went wrong; the exit code."""
    sentence, code = _told(error)
    print(f"clientforge: {sentence}", file=sys.stderr)
    return code


def _told(error: Exception) -> tuple[str, int]:
    from cryptography.exceptions import InvalidTag

    from application.ports import Conflict, KeyMissing
    from application.recording import UnknownEventType
    from domain.kernel import Refused
    from infrastructure.datadir import NoSettings, SecretsLost
    from infrastructure.embedded import ServerDidNotStart
    from infrastructure.embedded.directory import DirectoryInUse
    from infrastructure.local_ports import PortTaken
    from infrastructure.postgres import UnsafeRole
    from infrastructure.settings import InvalidSettings
    from projections.building import RebuildStopped
    from projections.decisions import NotStandingStill

    match error:
        case CommandFailed():
            return str(error), error.exit_code
        case Refused():
            return error.message, FAILED
        case NoSettings():
            return str(error), MISUSED
        case InvalidSettings():
            return _settings(error), MISUSED
        case Conflict() | KeyMissing() | UnsafeRole() | SecretsLost() | PortTaken() | DirectoryInUse():
            return str(error), FAILED
        case ServerDidNotStart() | RebuildStopped() | NotStandingStill():
            return str(error), FAILED
        case UnknownEventType():
            return f"The log holds events of type {error}, which a newer release wrote: upgrade this one.", FAILED
        case InvalidTag():
            return "MASTER_KEY is not the one that this system's keys are wrapped with.", FAILED
        case _:
            return _away(error) or _unexpected(error), FAILED


def _settings(error: Exception) -> str:
    lines = [f"  {line}" for line in str(error).splitlines()]
    return "\n".join(
        [
            "The settings are not complete:",
            *lines,
            "Name the directory of a running system with --data-dir, or set them in the environment or in .env.",
        ]
    )


def _away(error: Exception) -> str | None:
    """A server that can't be reached."""
    import psycopg
    import redis

    from projections.ports import StoreAway

    if isinstance(error, StoreAway | psycopg.OperationalError):
        return f"The database or a store can't be reached ({_first_line(error)}). Is the system running?"
    if isinstance(error, redis.exceptions.ConnectionError | redis.exceptions.TimeoutError):
        return f"Redis can't be reached ({_first_line(error)}). Is the system running?"
    return None


def _unexpected(error: Exception) -> str:
    if os.environ.get(TRACEBACK_VARIABLE):
        traceback.print_exception(error)
    kind = type(error).__name__
    return f"{kind}: {_first_line(error)} (unexpected: {TRACEBACK_VARIABLE}=1 in the environment shows where)"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
