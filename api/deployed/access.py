"""Health, and a log-in with all that comes of it: a token that is taken, renewed, refused when altered, and ended."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from api.deployed.asking import Answer, Deployed
from domain.permissions import Role
from infrastructure.findings import Finding, failure, ok
from infrastructure.second_factors import SecondFactorRequired

_LOG_IN, _TOKEN, _ADMIN = "log-in", "token", "admin"


class LogIn(Struct, frozen=True, kw_only=True):
    """Who logs in where; without a tenant it is the one that the server takes. `code` is of a second factor."""

    email: str
    password: str
    tenant: str | None = None
    code: str | None = None


class LoggedIn(Struct, frozen=True, kw_only=True):
    """Who is logged in: a token, and what /auth/me says."""

    token: str
    tenant: str
    subdomain: str


def health(deployed: Deployed) -> list[Finding]:
    """Whether it lives, and whether each service that it needs is up."""
    live = deployed.at("GET", "/live")
    if not live.is_well:
        todo = live.todo("see whether it runs, and whether the URL is right")
        return [failure("health", f"{deployed.url}/live: {live.why}", todo)]
    return [ok("health", f"{deployed.url} lives"), *_services(deployed.at("GET", "/ready"))]


def _services(ready: Answer) -> Iterator[Finding]:
    told = ready.body.get("dependencies") if isinstance(ready.body, dict) else None
    if not told:
        yield failure("core services", f"/ready: {ready.why}", ready.todo("see what listens there"))
        return
    for each in told:
        if each["up"]:
            yield ok("core services", f"{each['name']} answers in {each['latency_ms']:.0f} ms")
        else:
            yield failure("core services", f"{each['name']} is down ({each['error']})", "clientforge verify services")


def log_in(deployed: Deployed, who: LogIn) -> tuple[list[Finding], LoggedIn | None]:
    """Logs in as an admin, and uses the token in each way."""
    told = {"email": who.email, "password": who.password, "tenant": who.tenant, "code": who.code}
    answer = deployed.ask("POST", "/auth/login", {name: each for name, each in told.items() if each is not None})
    tokens = answer.body if answer.is_well and isinstance(answer.body, dict) else {}
    if "access_token" not in tokens:
        asked = isinstance(answer.body, dict) and answer.body.get("code") == SecondFactorRequired.code
        todo = "give a code of it: --code" if asked else "see e-mail, password and tenant; it was tried once"
        return [failure(_LOG_IN, f"{who.email}: {answer.why}", answer.todo(todo))], None
    found = [ok(_LOG_IN, f"{who.email} is logged in after {answer.milliseconds:.0f} ms")]
    token, flaws = _used(deployed, tokens)
    found += flaws
    with deployed.bearing(token) as bearing:
        me = bearing.ask("GET", "/auth/me")
    if not me.is_well:
        return [*found, _flaw("GET /auth/me", me)], None
    found += [] if flaws else [ok(_TOKEN, "it is issued, taken and renewed, and refused when altered or missing")]
    return [*found, _role(me.body)], LoggedIn(
        token=token, tenant=me.body["tenant"]["id"], subdomain=me.body["tenant"]["subdomain"]
    )


def log_out(deployed: Deployed) -> list[Finding]:
    """Ends the session: its token is worth nothing from then on."""
    ended, after = deployed.ask("POST", "/auth/logout"), deployed.ask("GET", "/auth/me")
    if ended.is_well and after.status == 401:
        return [ok("log-out", "the session has ended, and its token with it")]
    todo = ended.todo(after.todo("see the log: clientforge logs"))
    return [failure("log-out", f"{ended.why}, and the token then: {after.why}", todo)]


def _used(deployed: Deployed, tokens: dict[str, Any]) -> tuple[str, list[Finding]]:
    """The token after its renewal, and what went wrong on the way."""
    flaws = []
    altered = tokens["access_token"][:-8] + tokens["access_token"][-8:][::-1].swapcase()
    with deployed.bearing(altered) as bearing:
        for who, name in ((bearing, "an altered token"), (deployed, "no token")):
            if (answer := who.ask("GET", "/auth/me")).status != 401:
                flaws.append(_flaw(f"{name} isn't refused", answer))
    with deployed.bearing(tokens["access_token"]) as bearing:
        if not (answer := bearing.ask("GET", "/auth/me")).is_well:
            flaws.append(_flaw("it isn't taken", answer))
    renewed = deployed.ask("POST", "/auth/refresh", {"refresh_token": tokens["refresh_token"]})
    if not renewed.is_well:
        return tokens["access_token"], [*flaws, _flaw("it isn't renewed", renewed)]
    return renewed.body["access_token"], flaws


def _flaw(what: str, answer: Answer) -> Finding:
    """What is wrong with the token. An answer that is none for a rate limit's sake says nothing about it."""
    if answer.is_limited:
        return failure(_TOKEN, f"it can't be tried: {answer.why}", answer.todo(""))
    return failure(_TOKEN, f"{what}: {answer.why}", "see JWT_SECRET, and the clocks of all machines")


def _role(me: dict[str, Any]) -> Finding:
    if me["role"] == Role.ADMIN:
        return ok(_ADMIN, f"{me['email']} is an admin of '{me['tenant']['subdomain']}'")
    return failure(_ADMIN, f"{me['email']} is no admin, but {me['role']}", "log in as an admin, who may ask everything")
