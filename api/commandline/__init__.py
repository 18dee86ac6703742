"""The command line: the same application, driven from a terminal."""


def main() -> None:
    """Runs the command line; what it imports is what the command needs."""
    from api.commandline.program import run

    run()
