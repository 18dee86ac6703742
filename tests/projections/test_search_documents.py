"""What is searchable of a record, and the words that find it."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from application.recording import Metadata, Recorded, stream_name
from domain.accounts.events import AccountArchived, AccountAssigned, AccountCreated, AccountEdited, Size
from domain.contacts.events import ContactCreated, ContactEdited, ContactPersonal, EmailAddress, PhoneNumber
from domain.deals.events import DealContact, DealOpened, DealWon, Line
from domain.kernel import Erased, Event, Sealed
from domain.products.events import ProductCreated
from domain.values import Address
from projections.changes import folded
from projections.ports import SearchDocument, SearchQuery
from projections.search import SEARCHED, asked_words, find, search_documents, title_key, words
from projections.viewer import Viewer
from tests.projections.relational import on

TENANT, ID, OWNER = uuid7(), uuid7(), uuid7()


def recorded(entity: str, event: Event, position: int, id: UUID = ID) -> Recorded:
    return Recorded(
        tenant=TENANT,
        position=position,
        stream=stream_name(entity, id),
        version=position,
        event=event,
        metadata=Metadata(actor="cli", correlation=uuid7()),
        occurred_at=on("2017-01-01"),
        recorded_at=on("2017-01-02"),
    )


def documents(entity: str, *events: Event) -> list[SearchDocument]:
    log = [recorded(entity, event, position) for position, event in enumerate(events, 1)]
    return search_documents(folded(TENANT, 0, log, lambda *_: {}))


def document(entity: str, *events: Event) -> SearchDocument:
    [made] = documents(entity, *events)
    return made


def found(made: SearchDocument) -> set[str]:
    return {word for text in (made.title, *made.text) for word in words(text)}


def test_an_account_is_called_by_its_name_and_found_by_what_is_known_of_it():
    made = document(
        "account",
        AccountCreated(
            name="Bubba Gump",
            owner=OWNER,
            website="https://gump.example",
            email="office@gump.example",
            phone="+1 555-12 34",
            industry="retail",
            size=Size.UP_TO_50,
            annual_revenue=Decimal("1.50"),
            address=Address(city="Paris", country="France"),
            external_id="A-17",
        ),
    )
    assert (made.entity, made.id, made.title) == ("account", ID, "Bubba Gump")
    assert {"gump", "office", "15551234", "555", "retail", "paris", "france", "17"} <= found(made)
    assert made.fields == {
        "owner": str(OWNER),
        "industry": "retail",
        "size": "11-50",
        "country": "France",
        "external_id": "A-17",
    }


def test_a_contact_is_called_by_its_name_and_found_by_its_addresses():
    account = uuid7()
    personal = ContactPersonal(
        first_name="Ada",
        last_name="Lovelace",
        emails=(EmailAddress(address="ada@engine.example", primary=True), EmailAddress(address="al@x.example")),
        phones=(PhoneNumber(number="+44 20 7946", primary=True),),
        title="Countess",
        address=Address(city="London"),
    )
    made = document("contact", ContactCreated(personal=personal, account=account, department="Research"))
    assert made.title == "Ada Lovelace"
    assert {"engine", "al", "44207946", "countess", "london", "research"} <= found(made)
    assert made.fields == {"account": str(account), "department": "Research", "status": "new", "lifecycle": "lead"}


def test_a_deal_is_called_by_its_name_and_filtered_by_what_it_belongs_to():
    ids = {name: uuid7() for name in ("pipeline", "stage", "account", "contact", "product")}
    opened = DealOpened(
        name="Engine no. 2",
        pipeline=ids["pipeline"],
        stage=uuid7(),
        probability=10,
        account=ids["account"],
        contacts=(DealContact(contact=ids["contact"]),),
        lines=(Line(product=ids["product"]), Line(description="Brass wheels")),
        competitors=("Scheutz",),
    )
    won = DealWon(previous=opened.stage, stage=ids["stage"], amount=Decimal(10), currency="USD")
    made = document("deal", opened, won)
    assert made.title == "Engine no. 2"
    assert {"scheutz", "brass"} <= found(made)
    assert made.fields == {
        "pipeline": str(ids["pipeline"]),
        "stage": str(ids["stage"]),
        "account": str(ids["account"]),
        "contacts": [str(ids["contact"])],
        "products": [str(ids["product"])],
        "kind": "won",
        "currency": "USD",
    }


def test_a_document_is_what_all_events_leave_at_the_position_of_the_last():
    made = document(
        "account",
        AccountCreated(name="Before", industry="retail"),
        AccountEdited(name="After", industry=None),
        AccountAssigned(previous=None, owner=OWNER),
        AccountArchived(),
    )
    assert (made.title, made.position, made.archived) == ("After", 4, True)
    assert made.fields == {"owner": str(OWNER)}
    assert made.text == ()


def test_a_later_batch_makes_the_whole_document_again():
    old = [recorded("account", AccountCreated(name="Gump", industry="retail"), 1)]
    new = [recorded("account", AccountEdited(name="Bubba Gump"), 2)]
    [made] = search_documents(folded(TENANT, 1, new, lambda streams, _: dict.fromkeys(streams, old)))
    assert (made.title, made.position, made.fields) == ("Bubba Gump", 2, {"industry": "retail"})


def test_an_erased_contact_is_found_by_nothing():
    made = document(
        "contact",
        ContactCreated(personal=ContactPersonal(first_name="Ada", last_name="Lovelace"), owner=OWNER),
        ContactEdited(personal=Erased()),
    )
    assert found(made) == set()
    assert made.fields["owner"] == str(OWNER)


def test_sealed_data_is_no_name():
    with pytest.raises(TypeError, match="sealed"):
        document("contact", ContactCreated(personal=Sealed(b"x")))


def test_what_is_not_searched_and_what_never_began_has_no_document():
    assert documents("product", ProductCreated(name="GTX", code="G")) == []
    assert documents("account", AccountEdited(name="Gump")) == []
    assert set(SEARCHED) == {"account", "contact", "deal"}


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("Bubba  Gump", ["bubba", "gump"]),
        ("Y-corporation", ["y", "corporation"]),
        ("ada.love_lace@x.example", ["ada", "love", "lace", "x", "example"]),
        ("Straße José ÅNGSTRÖM ﬁx", ["strasse", "jose", "angstrom", "fix"]),
        ("İstanbul", ["istanbul"]),
        ("GTX-500²", ["gtx", "5002"]),
        ("漢字 🚀 --", ["漢字"]),
        ("x" * 100, ["x" * 64]),
        ("", []),
    ],
)
def test_words_are_letters_and_digits_without_case_and_accents(text, made):
    assert words(text) == made


@given(st.text())
def test_words_need_no_escape_in_any_query_language(text):
    assert all(word.isalnum() and 0 < len(word) <= 64 for word in words(text))


@given(st.text())
def test_the_words_of_words_are_the_same(text):
    assert words(" ".join(words(text))) == words(text)


def test_titles_that_people_call_the_same_have_one_key():
    assert title_key(" Y-Corporation! ") == title_key("y corporation") == "y corporation"


def test_of_a_long_query_the_first_words_count():
    assert asked_words(SearchQuery(text="word " * 100, entities=())) == ["word"] * 16


class Asked:
    """An index that remembers what it is asked."""

    def __init__(self) -> None:
        self.queries: list[tuple[UUID, SearchQuery]] = []

    def search(self, tenant: UUID, query: SearchQuery) -> list[Any]:
        self.queries.append((tenant, query))
        return []


def test_a_viewer_finds_what_they_may_see_in_their_own_tenant():
    index: Any = Asked()
    find(index, Viewer(tenant=TENANT), "gump")
    find(index, Viewer(tenant=TENANT, owners=frozenset({OWNER})), "gump", entities=["deal"], filters={"kind": "won"})
    find(index, Viewer(tenant=TENANT, owners=frozenset()), "gump")
    (tenant, everything), (_, own), (_, nothing) = index.queries
    assert tenant == TENANT
    assert (everything.owners, everything.entities) == (None, SEARCHED)
    assert (own.owners, own.entities, own.filters) == ([OWNER], ("deal",), {"kind": "won"})
    assert nothing.owners == []
