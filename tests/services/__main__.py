"""`python -m tests.services`: keep every service running until interrupted, and print its URL for tests to use."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.services import elasticsearch, ferretdb, haproxy, pgbouncer, prometheus
from tests.services.availability import Unavailable
from tests.services.cache import say
from tests.services.docker import docker_runs
from tests.services.session import ServiceSession


def main() -> int:
    """Run the command line; 1 when a service can't be had in CI."""
    parser = argparse.ArgumentParser(prog="python -m tests.services", description=__doc__)
    parser.add_argument("--prepare", action="store_true", help="only download and build what the services need")
    parser.add_argument("--env-file", type=Path, help="also write the variables there")
    arguments = parser.parse_args()
    missing = prepare()
    if arguments.prepare:
        return int(bool(missing) and os.environ.get("CI", "") == "true")
    return run(arguments.env_file)


def prepare() -> list[str]:
    """Make every program ready that has no URL given, and say which can't be; their names."""
    programs: dict[str, tuple[str, Callable[[], Path]]] = {
        "Elasticsearch": ("TEST_ELASTICSEARCH_URL", elasticsearch.prepare),
        "MongoDB": ("TEST_MONGODB_URL", ferretdb.prepare),
        "PgBouncer": ("", pgbouncer.prepare),
        "Prometheus": ("", prometheus.prepare),
        "HAProxy": ("", haproxy.prepare),
    }
    missing = []
    for name, (variable, get) in programs.items():
        if os.environ.get(variable):
            continue
        try:
            get()
        except Unavailable as reason:
            if variable and docker_runs():
                continue
            missing.append(name)
            say(f"{name} can't be had: {reason}")
    return missing


def run(env_file: Path | None) -> int:
    """Start everything that can be had, print the variables, and wait for an interrupt."""
    # Both by hand: a shell lets its background jobs ignore interrupts.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with suppress(KeyboardInterrupt), ServiceSession() as services:
        urls: dict[str, Callable[[], str]] = {
            "TEST_DATABASE_URL": lambda: services.postgres.superuser_url,
            "TEST_REDIS_URL": lambda: services.redis_url,
            "TEST_ELASTICSEARCH_URL": lambda: services.elasticsearch_url,
            "TEST_MONGODB_URL": lambda: services.mongodb_url,
        }
        lines = []
        for name, url in urls.items():
            with suppress(Unavailable):
                lines.append(f"export {name}={url()}\n")
                sys.stdout.write(lines[-1])
                sys.stdout.flush()
        if env_file is not None:
            env_file.touch(mode=0o600)
            env_file.write_text("".join(lines))
        say("All services run; interrupt (Ctrl-C) to stop them.")
        signal.pause()
    if env_file is not None:
        env_file.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
