"""The command line: the same application, driven from a terminal."""


def main() -> None:
    """Run the command line."""
    raise SystemExit("not built yet")
