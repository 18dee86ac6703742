"""A write that is followed through all three read models, and then archived: that nothing between them stands still."""

import secrets
import time
from collections.abc import Callable
from typing import Any

from api.deployed.asking import Answer, Deployed
from infrastructure.findings import Finding, failure, ok

_WRITE, _ARCHIVING = "write", "archiving"
_TODO = "clientforge queue health, and clientforge projections status"
_PAUSE = 0.5


def followed(deployed: Deployed, seconds: float) -> list[Finding]:
    """Creates an account, waits until list, search and audit trail have it, and archives it.

    Each read model has that many seconds from the write on.
    """
    word = f"verify{secrets.token_hex(6)}"
    made = deployed.ask("POST", "/accounts", {"name": f"Deployment {word}", "industry": word})
    if not made.is_well:
        todo = made.todo("see the log: clientforge logs --level error")
        return [failure(_WRITE, f"POST /accounts: {made.why}", todo)]
    account = made.body["id"]
    found = [ok(_WRITE, f"an account was created in {made.milliseconds:.0f} ms")]
    found += _seen(deployed, account, word, time.monotonic() + seconds, seconds)
    return [*found, *_archived(deployed, account, word, seconds)]


def _seen(deployed: Deployed, account: str, word: str, deadline: float, seconds: float) -> list[Finding]:
    """Whether each read model has the account in time."""
    models: dict[str, tuple[Callable[[], Answer], Callable[[Any], bool]]] = {
        "record": (lambda: deployed.ask("GET", f"/accounts/{account}"), lambda body: bool(body["id"] == account)),
        "list": (lambda: deployed.ask("GET", "/accounts", industry=word), lambda body: account in _ids(body)),
        "search": (lambda: deployed.ask("GET", "/search", q=word, types="account"), lambda body: account in _ids(body)),
        "audit trail": (
            lambda: deployed.ask("GET", "/audit", entity="account", id=account),
            lambda body: "account.created.v1" in _types(body),
        ),
    }
    return [_waited(name, *each, deadline, seconds) for name, each in models.items()]


def _archived(deployed: Deployed, account: str, word: str, seconds: float) -> list[Finding]:
    archived = deployed.ask("DELETE", f"/accounts/{account}")
    if not archived.is_well:
        return [failure(_ARCHIVING, f"DELETE /accounts/{account}: {archived.why}", archived.todo("archive it by hand"))]
    gone = _waited(
        _ARCHIVING,
        lambda: deployed.ask("GET", "/accounts", industry=word),
        lambda body: account not in _ids(body),
        time.monotonic() + seconds,
        seconds,
    )
    return [gone]


def _waited(
    name: str, ask: Callable[[], Answer], is_there: Callable[[Any], bool], deadline: float, seconds: float
) -> Finding:
    """Asks until the answer is as it must be; once at least."""
    began = time.monotonic()
    while True:
        answer = ask()
        if answer.is_well and not answer.stale and is_there(answer.body):
            return ok(name, f"it shows the change, {time.monotonic() - began:.1f} s after it was first asked")
        if time.monotonic() > deadline:
            why = "it doesn't show the change" if answer.is_well else answer.why
            return failure(name, f"{why}, {seconds:.0f} s after the write", answer.todo(_TODO))
        time.sleep(_PAUSE)


def _ids(body: Any) -> list[str]:
    return [each["id"] for each in body["items"]]


def _types(body: Any) -> list[str]:
    return [each["type"] for each in body["items"]]
