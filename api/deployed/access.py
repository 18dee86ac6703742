"""Health, and a log-in with all that comes of it: a token that is taken, renewed, refused when altered, and ended."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from api.deployed.asking import Answer, Deployed
from domain.permissions import Role
from infrastructure.findings import Finding, failure, ok, warning
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
        return [
            failure("health", f"{deployed.url}/live: {live.why}", "see whether it runs, and whether the URL is right")
        ]
    return [ok("health", f"{deployed.url} lives"), *_services(deployed.at("GET", "/ready"))]


def _services(ready: Answer) -> Iterator[Finding]:
    told = ready.body.get("dependencies") if isinstance(ready.body, dict) else None
    if not told:
        yield failure("core services", f"/ready: {ready.why}", "see what listens there")
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
        return [failure(_LOG_IN, f"{who.email}: {answer.why}", todo)], None
    found = [ok(_LOG_IN, f"{who.email} is logged in after {answer.milliseconds:.0f} ms")]
    token, flaws = _used(deployed, tokens)
    found += [failure(_TOKEN, each, "see JWT_SECRET, and the clocks of all machines") for each in flaws]
    with deployed.bearing(token) as bearing:
        me = bearing.ask("GET", "/auth/me")
    if not me.is_well:
        return found, None
    found += [] if flaws else [ok(_TOKEN, "it is issued, taken and renewed, and refused when altered or missing")]
    return [*found, _role(me.body)], LoggedIn(
        token=token, tenant=me.body["tenant"]["id"], subdomain=me.body["tenant"]["subdomain"]
    )


def log_out(deployed: Deployed) -> list[Finding]:
    """Ends the session: its token is worth nothing from then on."""
    ended, after = deployed.ask("POST", "/auth/logout"), deployed.ask("GET", "/auth/me")
    if ended.is_well and after.status == 401:
        return [ok("log-out", "the session has ended, and its token with it")]
    return [failure("log-out", f"{ended.why}, and the token then: {after.why}", "see the log: clientforge logs")]


def _used(deployed: Deployed, tokens: dict[str, Any]) -> tuple[str, list[str]]:
    """The token after its renewal, and what went wrong on the way."""
    flaws = []
    altered = tokens["access_token"][:-8] + tokens["access_token"][-8:][::-1].swapcase()
    with deployed.bearing(altered) as bearing:
        for who, name in ((bearing, "an altered token"), (deployed, "no token")):
            if (answer := who.ask("GET", "/auth/me")).status != 401:
                flaws.append(f"{name} isn't refused: {answer.why}")
    with deployed.bearing(tokens["access_token"]) as bearing:
        if not (answer := bearing.ask("GET", "/auth/me")).is_well:
            flaws.append(f"it isn't taken: {answer.why}")
    renewed = deployed.ask("POST", "/auth/refresh", {"refresh_token": tokens["refresh_token"]})
    if not renewed.is_well:
        return tokens["access_token"], [*flaws, f"it isn't renewed: {renewed.why}"]
    return renewed.body["access_token"], flaws


def _role(me: dict[str, Any]) -> Finding:
    if me["role"] == Role.ADMIN:
        return ok(_ADMIN, f"{me['email']} is an admin of '{me['tenant']['subdomain']}'")
    return warning(_ADMIN, f"{me['email']} is no admin, but {me['role']}", "log in as an admin, who may ask everything")
