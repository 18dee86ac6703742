"""Search: what is searchable of a record, the words that find it, and the query over the index."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from domain.accounts.state import Account
from domain.contacts.events import ContactPersonal
from domain.contacts.state import Contact
from domain.deals.state import Deal
from domain.kernel import Erased, Sealed
from projections.changes import Batch, Story
from projections.ports import Hit, SearchDocument, SearchIndex, SearchQuery
from projections.viewer import Viewer

_WORD = re.compile(r"[^\W_]+")
_LONGEST_WORD = 64
_LONGEST_KEY = 256
_LONGEST_TEXT = 100_000
_MOST_WORDS = 16


def words(text: str) -> list[str]:
    """The words of a text as they are indexed and looked for: letters and digits, without case and accents."""
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(each for each in decomposed if not unicodedata.combining(each))
    return [each[:_LONGEST_WORD] for each in _WORD.findall(text.casefold())]


def asked_words(query: SearchQuery) -> list[str]:
    """The words that a query looks for, the last one perhaps unfinished; of a long text the first ones."""
    return words(query.text)[:_MOST_WORDS]


def title_key(title: str) -> str:
    """What two titles have in common that a person would call the same."""
    return " ".join(words(title))[:_LONGEST_KEY]


class Searchable(Struct, frozen=True, kw_only=True):
    """What a state shows to search; see SearchDocument."""

    title: str
    text: Iterable[str | None] = ()
    fields: Mapping[str, Any]


def search_documents(batch: Batch) -> list[SearchDocument]:
    """The documents of the records that a batch touches. It must have been read with personal data opened."""
    return [
        search_document(story)
        for story in batch.stories.values()
        if story.entity in SEARCHED and story.state is not None
    ]


def search_document(story: Story) -> SearchDocument:
    """The document of a record as its events leave it."""
    shown = _SEARCHABLE[story.entity](story.state)
    return SearchDocument(
        entity=story.entity,
        id=story.id,
        position=story.position,
        title=shown.title,
        text=tuple(_bounded(dict.fromkeys(each for each in shown.text if each))),
        fields={name: _told(value) for name, value in shown.fields.items() if value not in (None, ())},
        archived=story.state.archived,
    )


def _bounded(texts: Iterable[str]) -> Iterator[str]:
    """The texts up to a length that every index takes: what a record says beyond that finds it no more."""
    left = _LONGEST_TEXT
    for text in texts:
        if left <= 0:
            return
        yield text[:left]
        left -= len(text)


def find(
    index: SearchIndex,
    viewer: Viewer,
    text: str,
    *,
    entities: Sequence[str] = (),
    filters: Mapping[str, str] | None = None,
    limit: int = 20,
    archived: bool = False,
) -> list[Hit]:
    """What the viewer may see of the best hits, of each entity at most `limit`; all searched entities by default."""
    return index.search(
        viewer.tenant,
        SearchQuery(
            text=text,
            entities=tuple(entities) or SEARCHED,
            filters=filters or {},
            owners=None if viewer.owners is None else sorted(viewer.owners),
            unowned=viewer.unowned,
            limit=limit,
            archived=archived,
        ),
    )


def _told(value: Any) -> Any:
    """A value as the index keeps it: booleans and numbers as they are, all else as text."""
    if isinstance(value, list | tuple):
        return [_told(each) for each in value]
    return value if isinstance(value, bool | int) else str(value)


def _account(account: Account) -> Searchable:
    address = account.address
    return Searchable(
        title=account.name,
        text=(
            account.website,
            account.email,
            *_number(account.phone),
            account.industry,
            account.external_id,
            *((address.city, address.country) if address else ()),
        ),
        fields={
            "owner": account.owner,
            "parent": account.parent,
            "industry": account.industry,
            "size": account.size,
            "country": address.country if address else None,
            "external_id": account.external_id,
        },
    )


def _contact(contact: Contact) -> Searchable:
    title, text = _person(contact.personal)
    return Searchable(
        title=title,
        text=(*text, contact.department, contact.external_id),
        fields={
            "owner": contact.owner,
            "account": contact.account,
            "department": contact.department,
            "lead_source": contact.lead_source,
            "status": contact.status,
            "lifecycle": contact.lifecycle,
            "external_id": contact.external_id,
        },
    )


def _person(personal: ContactPersonal | Sealed | Erased) -> tuple[str, Sequence[str | None]]:
    match personal:
        case ContactPersonal():
            numbers = [each for phone in personal.phones for each in _number(phone.number)]
            city = personal.address.city if personal.address else None
            title = f"{personal.first_name} {personal.last_name}"
            return title, [*(email.address for email in personal.emails), *numbers, personal.title, city]
        case Erased():
            return "", ()
        case Sealed():
            raise TypeError("search needs personal data opened, and got it sealed")


def _deal(deal: Deal) -> Searchable:
    return Searchable(
        title=deal.name,
        text=(
            deal.external_id,
            deal.next_step,
            deal.lead_source,
            *deal.competitors,
            *(line.description for line in deal.lines),
        ),
        fields={
            "owner": deal.owner,
            "account": deal.account,
            "pipeline": deal.pipeline,
            "stage": deal.stage,
            "kind": deal.kind,
            "currency": deal.currency,
            "lead_source": deal.lead_source,
            "contacts": tuple(each.contact for each in deal.contacts),
            "products": tuple(line.product for line in deal.lines if line.product),
            "external_id": deal.external_id,
        },
    )


def _number(phone: str | None) -> Iterable[str]:
    """A phone number as it is written, and as it is dialled."""
    return () if phone is None else (phone, "".join(each for each in phone if each.isdigit()))


_SEARCHABLE: Mapping[str, Callable[[Any], Searchable]] = {"account": _account, "contact": _contact, "deal": _deal}

SEARCHED: Sequence[str] = tuple(_SEARCHABLE)
"""The entities that are searched."""
