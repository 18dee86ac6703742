"""The description of the API, for programs and as a page for people, who can try it there.

Script and style of the page come from this server, and nothing else is loaded or run.
"""

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from api.admission import Admission
from api.operations import Operation
from api.problems import FAULTS, STATUS, title_of
from api.services import Services
from api.shielding import PAGE_POLICY

_FILES = Path(__file__).parent / "page"
_JSON, _HTML = "application/json", "text/html; charset=utf-8"
_NONE: Mapping[str, str] = MappingProxyType({})


_READ = Operation(
    method="GET",
    path="/openapi.json",
    name="describeApi",
    summary="Read the description",
    tag="description",
    run=lambda _: None,
    answer=None,
    public=True,
)
"""What counts requests for the description: anybody may read it, and pays for it by their address."""


def routes(document: Mapping[str, Any], services: Services) -> list[HTTPRouteHandler]:
    """The routes of the description, which is rendered once."""
    html = page(document).encode()
    return [
        _fixed(services, ["/api/openapi.json", "/api/v1/openapi.json"], msgspec.json.encode(document), _JSON),
        _fixed(services, ["/api/docs"], html, _HTML, {"Content-Security-Policy": PAGE_POLICY}),
        _fixed(services, ["/api/docs/page.css"], (_FILES / "page.css").read_bytes(), "text/css; charset=utf-8"),
        _fixed(services, ["/api/docs/page.js"], (_FILES / "page.js").read_bytes(), "text/javascript"),
    ]


def _fixed(
    services: Services, paths: list[str], content: bytes, media_type: str, headers: Mapping[str, str] = _NONE
) -> HTTPRouteHandler:
    """A route whose answer stays the same while the process runs, so that nobody need be sent it twice."""
    tag = f'"{sha256(content).hexdigest()[:32]}"'
    told = {"ETag": tag, "Cache-Control": "no-cache", **headers}

    @get(paths, include_in_schema=False)
    async def fixed(request: Request[Any, Any, Any]) -> Response[bytes]:
        await Admission(services, _READ, request).by_sender()
        known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
        if tag in known:
            return Response(b"", status_code=304, headers=told)
        return Response(content, media_type=media_type, headers=told)

    return fixed


def page(document: Mapping[str, Any]) -> str:
    """The description as HTML."""
    tags = [tag["name"] for tag in document["tags"]]
    contents = "".join(f'<a href="#{tag}">{tag}</a>' for tag in [*tags, "problems"])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>ClientForge API</title>'
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/api/docs/page.css">'
        '<script src="/api/docs/page.js" defer></script></head><body>'
        f"<h1>ClientForge API</h1><p>{_marked(document['info']['description'])}</p>"
        '<p>For programs: <a href="/api/openapi.json">openapi.json</a></p>'
        '<div id="session"></div>'
        f"<nav>{contents}</nav>{''.join(_tag(document, tag) for tag in tags)}{_problems()}</body></html>"
    )


def _tag(document: Mapping[str, Any], tag: str) -> str:
    found = (
        _operation(path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if tag in operation["tags"]
    )
    return f'<h2 id="{tag}">{tag}</h2>{"".join(found)}'


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    parts = [
        f'<details id="{operation["operationId"]}" data-method="{method.upper()}" data-path="{escape(path)}">',
        f'<summary><span class="method">{method.upper()}</span>',
        f"<code>{escape(path)}</code> {_marked(operation['summary'])}</summary>",
        f"<p>{_marked(operation.get('description', ''))}</p>",
        _parameters(operation["parameters"]),
        f"<p>Body:</p><pre>{escape(json.dumps(body['example'], indent=2, ensure_ascii=False))}</pre>" if body else "",
        _responses(operation["responses"]),
        "</details>",
    ]
    return "".join(parts)


def _parameters(parameters: list[Mapping[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td><code>{each['name']}</code></td><td>{each['in']}</td><td>{'required' if each.get('required') else ''}"
        f"</td><td>{_marked(each.get('description', ''))}</td></tr>"
        for each in parameters
    )
    return f"<table>{rows}</table>" if rows else ""


def _responses(responses: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{status}</td><td>{_marked(response['description'])}</td></tr>"
        for status, response in responses.items()
    )
    return f"<table>{rows}</table>"


def _problems() -> str:
    known = [
        *((kind.code, status, title_of(kind)) for kind, status in STATUS.items()),
        *((code, status, title) for code, (status, title) in FAULTS.items()),
    ]
    rows = "".join(
        f'<tr id="{code}"><td>{status}</td><td><code>{code}</code></td><td>{_marked(title)}</td></tr>'
        for code, status, title in known
    )
    return f'<h2 id="problems">problems</h2><table>{rows}</table>'


def _marked(text: str) -> str:
    """A text with `code` in it, as HTML."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
