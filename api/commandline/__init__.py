"""The command line: the same application, driven from a terminal."""

import sys


def main() -> None:
    """Runs the command line; what it imports is what the command needs."""
    try:
        from api.commandline.program import run
    except ImportError as error:
        sys.exit(_not_whole(error))
    run()


def _not_whole(error: ImportError) -> str:
    """That no command can run, and why: a file of ours is missing, or a package."""
    from infrastructure.checks.release import files

    return "\n".join([f"clientforge: {error}", *(f"  {each.found}" for each in files())])
