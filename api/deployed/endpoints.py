"""Every list and report of the API, asked once: whatever a GET without a record in its address answers."""

from collections.abc import Iterator

import msgspec

from api import app
from api.deployed.asking import Deployed
from infrastructure.findings import Finding, failure, ok

_NAME = "endpoints"
_DESCRIPTION = ("/api/openapi.json", "/api/docs")
_GIVEN = {"q": "deployment"}
"""What a query must say, by the name of the field."""

NOT_ASKED = frozenset({"/auth/browser"})
"""What only a browser with its cookie can ask for."""


def endpoints(deployed: Deployed) -> list[Finding]:
    """Each that doesn't answer, or how many do."""
    asked = [(path, deployed.at("GET", path)) for path in _DESCRIPTION]
    asked += [(path, deployed.ask("GET", path, **query)) for path, query in critical()]
    wrong = [
        failure(_NAME, f"GET {path}: {answer.why}", answer.todo("see the log: clientforge logs --level error"))
        for path, answer in asked
        if not answer.is_well
    ]
    slowest, milliseconds = max(((path, answer.milliseconds) for path, answer in asked), key=lambda each: each[1])
    return wrong or [ok(_NAME, f"all {len(asked)} answer, the slowest, {slowest}, in {milliseconds:.0f} ms")]


def critical() -> Iterator[tuple[str, dict[str, str]]]:
    """The addresses that are asked, each with the query that it needs."""
    for operation in app.OPERATIONS:
        if operation.method == "GET" and "{" not in operation.path and operation.path not in NOT_ASKED:
            needed = [each.name for each in msgspec.structs.fields(operation.query) if each.required]
            yield operation.path, {name: _GIVEN[name] for name in needed}
