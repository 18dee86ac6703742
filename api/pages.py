"""Pages of lists over HTTP: their parameters, and the Link to the next one."""

from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import NODEFAULT, Struct, structs

from api.operations import Call, Reply
from projections.pages import Page, PageRequest


def with_page(name: str, filters: type[Struct] | None = None) -> type[Struct]:
    """The parameters of a list: its filters, and which page. Others are refused."""
    fields = [field for each in (filters, PageRequest) if each is not None for field in structs.fields(each)]
    return msgspec.defstruct(
        name,
        [(each.name, each.type, each.default) for each in fields if each.default is not NODEFAULT],
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )


WhichPage = with_page("WhichPage")
"""The parameters of a list without filters."""


def page_request(query: Any) -> PageRequest:
    """The page that a query asks for."""
    return PageRequest(**{name: getattr(query, name) for name in PageRequest.__struct_fields__})


def next_page(call: Call[Any, Any], page: Page[Any]) -> Reply:
    """A page, with a Link header (RFC 8288) to the one behind it."""
    if page.next is None:
        return Reply(body=page)
    query = [(name, text) for name, text in call.received.query if name != "cursor"]
    link = f'<{call.received.path}?{urlencode([*query, ("cursor", page.next)])}>; rel="next"'
    return Reply(body=page, headers={"Link": link})
