"""Names in the documents' code that stand for something of the system: what each document gets wrong of them."""

import re
from collections.abc import Collection, Iterable, Iterator

from api.app import OPERATIONS, PREFIX
from infrastructure.settings import Settings
from tests.architecture.sources import ROOT
from tests.deployment.compose import production

_METHODS = "GET|POST|PUT|PATCH|DELETE"
_ROUTE = re.compile(rf"(?:\b({_METHODS}) |\$API|\$U|(?::\d+)|(?<![\w./~$}}-]))(/[a-z][\w/{{}}$.-]*)(?![\w/{{}}$.…-])")
_OTHER_ROUTES = ("/live", "/ready", "/metrics", "/api/docs", "/api/openapi.json", PREFIX)
_METRIC = re.compile(r"(?<![\w./-])clientforge_[a-z_]+(?![\w.@:])")
_ROLES = {"clientforge_owner", "clientforge_app", "clientforge_monitor"}
_WORD = re.compile(r"^[A-Z]{2,}$|(?<![\w$/{.-])[A-Z]{2,}(?==)")
_COMPOSE = re.compile(r"docker compose (?:-\S+ \S+ )*(exec|run|up|stop|ps|logs|restart|build)\b([^|;&#)]*)")
_WITH_VALUE = {"-e", "--scale", "-u", "--user", "--since", "--tail"}


def wrong_routes(line: str) -> Iterator[str]:
    """Routes that nothing answers, with their method where the line has one."""
    for method, path in _ROUTE.findall(line):
        parts = path.rstrip("/.").split("/")
        if (method or parts[1] in _BEGINNINGS) and not any(
            method in ("", known) and _same(parts, route.split("/")) for known, route in _ROUTES
        ):
            yield f"{method} {path}".strip()


_ROUTES = [
    *((each.method, f"{before}{each.path}") for each in OPERATIONS for before in ("", PREFIX)),
    *(("GET", path) for path in _OTHER_ROUTES),
]
_BEGINNINGS = {route.split("/")[1] for _, route in _ROUTES}


def _same(parts: list[str], route: list[str]) -> bool:
    return len(parts) == len(route) and all(
        part == known or "{" in known for part, known in zip(parts, route, strict=True)
    )


def wrong_metrics(text: str, listed: Iterable[str]) -> set[str]:
    """Metrics that nobody measures. One that ends with _ stands for all that begin so."""
    known = {*listed, *_ROLES}
    return {
        name
        for name in _METRIC.findall(text)
        if re.sub(r"_(bucket|sum|count)$", "", name) not in known
        and not (name.endswith("_") and any(each.startswith(name) for each in known))
    }


def wrong_words(text: str, lines: Iterable[str], foreign: Collection[str]) -> set[str]:
    """Words in capitals, written as a setting is, that are none, nor variables of the document's own."""
    return {
        word
        for line in lines
        for word in _WORD.findall(line)
        if word.lower() not in Settings.model_fields and word not in foreign and f"${word}" not in text
    }


def variables_of_compose() -> set[str]:
    """The variables of the compose files."""
    return set(re.findall(r"^(?:# )?([A-Z_]+)=", (ROOT / "deploy" / ".env.example").read_text(), re.MULTILINE))


def wrong_services(line: str) -> Iterator[str]:
    """Services that no compose file has."""
    for verb, rest in _COMPOSE.findall(line):
        words = iter(rest.split())
        named = []
        for word in words:
            if word in _WITH_VALUE:
                next(words, None)
            elif re.fullmatch(r"[a-z][a-z-]*", word):
                named.append(word)
            elif not word.startswith("-"):
                break
        # Behind the service, exec and run have a command.
        for name in named[:1] if verb in ("exec", "run") else named:
            if name not in _SERVICES:
                yield f"{verb} {name}"


_SERVICES = production({})["services"].keys()
