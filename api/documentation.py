"""The description of the API, for programs and as a page for people, who can try it there.

Script and style of the page come from this server, and nothing else is loaded or run.
"""

import json
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from api.problems import FAULTS, STATUS, title_of
from api.shielding import PAGE_POLICY

_FILES = Path(__file__).parent / "page"


def routes(document: Mapping[str, Any]) -> list[HTTPRouteHandler]:
    """The routes of the description, which is rendered once."""
    text, html = msgspec.json.encode(document), page(document).encode()

    @get(["/api/openapi.json", "/api/v1/openapi.json"], include_in_schema=False)
    async def openapi() -> Response[bytes]:
        return Response(text, media_type="application/json")

    @get("/api/docs", include_in_schema=False)
    async def docs() -> Response[bytes]:
        return Response(html, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": PAGE_POLICY})

    return [openapi, docs, _file("page.css", "text/css; charset=utf-8"), _file("page.js", "text/javascript")]


def _file(name: str, media_type: str) -> HTTPRouteHandler:
    content = (_FILES / name).read_bytes()

    @get(f"/api/docs/{name}", include_in_schema=False)
    async def file() -> Response[bytes]:
        return Response(content, media_type=media_type)

    return file


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
