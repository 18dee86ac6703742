"""`python -m tests.performance [PART…]`: raw figures, then gates; exit code 1 when a gate fails."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fixtures import PASSWORDS, DatabaseUrls, copied, prepare_template
from tests.performance import appending, journeys, projecting, serving
from tests.performance.report import Gate, Result
from tests.services.session import ServiceSession

PARTS = ("appending", "projecting", "serving", "journeys")


def main() -> int:
    """Measures everything, or the parts that are named, over services of its own."""
    parts = sys.argv[1:] or PARTS
    if unknown := set(parts) - set(PARTS):
        print(f"unknown: {', '.join(unknown)}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    gates: list[Gate] = []
    with ServiceSession() as services, TemporaryDirectory() as place:
        superuser = services.postgres.superuser_url
        template = prepare_template(superuser, PASSWORDS)
        for part in parts:
            result = _measured(part, copied(superuser, template), services, Path(place))
            print(*result.figures, sep="\n", flush=True)
            gates += result.gates
    print(*gates, sep="\n")
    return 0 if all(gate.holds for gate in gates) else 1


def _measured(part: str, urls: DatabaseUrls, services: ServiceSession, place: Path) -> Result:
    if part == "appending":
        return appending.measure(urls)
    stores = (services.redis_url, services.elasticsearch_url, services.mongodb_url)
    match part:
        case "projecting":
            return projecting.measure(urls, stores)
        case "serving":
            return serving.measure(urls, stores, place)
        case _:
            return journeys.measure(urls, stores, place)


if __name__ == "__main__":
    sys.exit(main())
