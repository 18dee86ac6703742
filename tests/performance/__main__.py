"""`python -m tests.performance`: raw figures, then gates; exit code 1 when a gate fails."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fixtures import PASSWORDS, DatabaseUrls, copied, prepare_template
from tests.performance import appending, journeys
from tests.performance.report import Result
from tests.services.session import ServiceSession


def main() -> int:
    """Measures everything over services of its own."""
    with ServiceSession() as services, TemporaryDirectory() as place:
        superuser = services.postgres.superuser_url
        template = prepare_template(superuser, PASSWORDS)

        def database() -> DatabaseUrls:
            return copied(superuser, template)

        results = [appending.measure(database())]
        stores = (services.redis_url, services.elasticsearch_url, services.mongodb_url)
        results.append(journeys.measure(database(), stores, Path(place)))
    return _report(results)


def _report(results: list[Result]) -> int:
    gates = [gate for result in results for gate in result.gates]
    for result in results:
        for figure in result.figures:
            print(figure)
    for gate in gates:
        print(gate)
    return 0 if all(gate.holds for gate in gates) else 1


if __name__ == "__main__":
    sys.exit(main())
