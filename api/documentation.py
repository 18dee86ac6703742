"""The description of the API, for programs and as a page for people. The page loads nothing and runs no script."""

import json
import re
from collections.abc import Mapping
from html import escape
from typing import Any

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from api.problems import STATUS, title_of

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin-top: 2.5rem; text-transform: capitalize }
details { border: 1px solid #8885; border-radius: .4rem; margin: .4rem 0; padding: .4rem .8rem }
summary { cursor: pointer } summary code { font-weight: 600 }
.method { display: inline-block; width: 4.5rem; font-weight: 700 }
pre { overflow-x: auto; background: #8882; padding: .6rem; border-radius: .4rem }
table { border-collapse: collapse } td, th { padding: .15rem .8rem .15rem 0; text-align: left; vertical-align: top }
nav a { margin-right: .8rem }
"""


def routes(document: Mapping[str, Any]) -> list[HTTPRouteHandler]:
    """The routes of the description, which is rendered once."""
    text, html = msgspec.json.encode(document), page(document).encode()

    @get(["/api/openapi.json", "/api/v1/openapi.json"], include_in_schema=False)
    async def openapi() -> Response[bytes]:
        return Response(text, media_type="application/json")

    @get("/api/docs", include_in_schema=False)
    async def docs() -> Response[bytes]:
        return Response(html, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": _POLICY})

    return [openapi, docs]


def page(document: Mapping[str, Any]) -> str:
    """The description as HTML."""
    tags = [tag["name"] for tag in document["tags"]]
    contents = "".join(f'<a href="#{tag}">{tag}</a>' for tag in [*tags, "problems"])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>ClientForge API</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f"<h1>ClientForge API</h1><p>{_marked(document['info']['description'])}</p>"
        '<p>For programs: <a href="/api/openapi.json">openapi.json</a></p>'
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
        f'<details id="{operation["operationId"]}"><summary><span class="method">{method.upper()}</span>',
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
        ("internal_error", 500, "A fault of the server."),
        ("unavailable", 503, "A store that the request needs can't be reached, or is not ready yet."),
    ]
    rows = "".join(
        f'<tr id="{code}"><td>{status}</td><td><code>{code}</code></td><td>{_marked(title)}</td></tr>'
        for code, status, title in known
    )
    return f'<h2 id="problems">problems</h2><table>{rows}</table>'


def _marked(text: str) -> str:
    """A text with `code` in it, as HTML."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
