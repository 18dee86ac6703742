"""Pages of lists over HTTP: their parameters, and the Link to the next one."""

from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import NODEFAULT, Struct, structs

from api.operations import Call, Reply
from projections.pages import InvalidCursor, Page, PageRequest


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


def page_request(call: Call[Any, Any]) -> PageRequest:
    """The page that a query asks for. Raises InvalidCursor for one that this user didn't get from this very list."""
    asked = PageRequest(**{name: getattr(call.query, name) for name in PageRequest.__struct_fields__})
    if asked.cursor is None:
        return asked
    signature, _, place = asked.cursor.partition(".")
    if not call.services.cursors.fits(signature, *_list_of(call), place):
        raise InvalidCursor("This cursor does not belong to this list: start without one.", field="/cursor")
    return structs.replace(asked, cursor=place)


def next_page(call: Call[Any, Any], page: Page[Any]) -> Reply:
    """A page, with a Link header (RFC 8288) to the one behind it."""
    if page.next is None:
        return Reply(body=page)
    cursor = f"{call.services.cursors.of(*_list_of(call), page.next)}.{page.next}"
    query = [(name, text) for name, text in call.received.query if name != "cursor"]
    link = f'<{call.received.path}?{urlencode([*query, ("cursor", cursor)])}>; rel="next"'
    return Reply(body=structs.replace(page, next=cursor), headers={"Link": link})


def _list_of(call: Call[Any, Any]) -> tuple[str, ...]:
    """What a cursor is bound to: tenant, user, address, and the query but for where and how much."""
    query = sorted((name, text) for name, text in call.received.query if name not in ("cursor", "limit"))
    return str(call.principal.tenant), str(call.principal.user), call.received.path, urlencode(query)
