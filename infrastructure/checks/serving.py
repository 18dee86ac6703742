"""The API as its clients reach it, and the page that describes it."""

import time
from typing import Any

import httpx

from infrastructure.findings import Finding, failure, ok, warning
from infrastructure.settings import Settings

_API, _READY, _DOCS = "API", "API readiness", "API documentation"
_SLOW_MS = 300.0
_LIMITED = 429
_PAGES = {
    "/api/docs": "text/html",
    "/api/docs/page.css": "text/css",
    "/api/docs/page.js": "text/javascript",
    "/api/openapi.json": "application/json",
}


def url_of(settings: Settings) -> str:
    """Where the API is: PUBLIC_URL, else where it listens on this machine."""
    if settings.public_url is not None:
        return settings.public_url
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - it is only asked
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def api(url: str) -> list[Finding]:
    """Whether it lives, how soon it answers, what it misses, and whether its description is there."""
    with httpx.Client(base_url=url, timeout=5) as client:
        try:
            live = _live(client, url)
            if live.result == "failed":
                return [live]
            return [live, *_ready(client), *_documentation(client)]
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return [failure(_API, f"nothing answers at {url} ({type(error).__name__})", "start `clientforge serve`")]


def _live(client: httpx.Client, url: str) -> Finding:
    client.get("/live")  # connects
    started = time.perf_counter()
    answer = client.get("/live")
    status, taken = answer.status_code, (time.perf_counter() - started) * 1000
    if status == _LIMITED:
        return _limited(_API, answer)
    if status != 200:
        return failure(_API, f"{url}/live answers with {status}", "see what listens there")
    told = f"{url} answers in {taken:.0f} ms"
    return warning(_API, told, "see what loads it: clientforge logs") if taken > _SLOW_MS else ok(_API, told)


def _ready(client: httpx.Client) -> list[Finding]:
    answer = client.get("/ready")
    if answer.status_code == _LIMITED:
        return [_limited(_READY, answer)]
    try:
        told: dict[str, Any] = answer.json()
        down = [f"{each['name']} ({each['error']})" for each in told["dependencies"] if not each["up"]]
        status = told["status"]
    except (ValueError, KeyError, TypeError):
        return [
            failure(_READY, f"/ready answers with {answer.status_code}, and no description", "see what listens there")
        ]
    if status == "ready":
        return [ok(_READY, f"all {len(told['dependencies'])} dependencies are up")]
    how = failure if status == "unavailable" else warning
    return [how(_READY, f"{status}: {', '.join(down)}", "see the checks of these stores")]


def _documentation(client: httpx.Client) -> list[Finding]:
    found: list[Finding] = []
    for path, kind in _PAGES.items():
        answer = client.get(path)
        if answer.status_code == _LIMITED:
            return [*found, _limited(_DOCS, answer)]
        if answer.status_code != 200 or not answer.headers.get("content-type", "").startswith(kind):
            found.append(failure(_DOCS, f"{path} answers with {answer.status_code}", "see what is in front of the API"))
    return found or [ok(_DOCS, f"{len(_PAGES)} files are there")]


def _limited(check: str, answer: httpx.Response) -> Finding:
    told = answer.headers.get("Retry-After")
    return warning(
        check,
        "this address or user is over its limit of requests, so it wasn't looked at",
        f"try again in {told} seconds" if told else "try again later",
    )
