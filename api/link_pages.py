"""The pages that links in mails lead to: one for each kind, in which a person does what the API does for programs.

The token stays behind `#` in the browser until the person acts: a program that merely follows links uses nothing up.
"""

from pathlib import Path

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from api.shielding import PAGE_POLICY

PAGES = {
    "reset-password": "Choose another password",
    "verify-email": "Confirm your address",
    "accept-invitation": "Choose your password",
}

_SCRIPT = Path(__file__).parent / "page" / "links.js"


def routes() -> list[HTTPRouteHandler]:
    """The routes of the pages, and of their script."""
    script = _SCRIPT.read_bytes()

    @get("/api/docs/links.js", include_in_schema=False)
    async def links() -> Response[bytes]:
        return Response(script, media_type="text/javascript")

    return [links, *(_page(name, title) for name, title in PAGES.items())]


def _page(name: str, title: str) -> HTTPRouteHandler:
    content = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/api/docs/page.css">'
        '<script src="/api/docs/links.js" defer></script></head><body>'
        f'<h1>{title}</h1><div id="link" data-name="{name}"></div></body></html>'
    ).encode()

    @get(f"/{name}", include_in_schema=False)
    async def page() -> Response[bytes]:
        headers = {"Content-Security-Policy": PAGE_POLICY}
        return Response(content, media_type="text/html", headers=headers)

    return page
