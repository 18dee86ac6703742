"""The history of a record: every version with what became another, from the log and the one fold."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from uuid_utils.compat import uuid7

from domain.accounts.events import AccountCreated
from domain.contacts.events import ContactAssigned, ContactCreated, ContactEdited, ContactPersonal
from domain.deals.events import DealEdited, DealOpened, DealWon, Line
from domain.kernel import NotFound
from projections.history import Version, history
from projections.pages import PageRequest
from projections.viewer import Viewer
from tests.projections.relational import ACTOR, Stages, Tenancy, on

STAGES = Stages()


@pytest.fixture
def here(database, store) -> Tenancy:
    return Tenancy(database, store)


def versions(tenancy: Tenancy, entity: str, id: UUID, **viewer: Any) -> list[Version]:
    return history(tenancy.store, Viewer(tenant=tenancy.id, **viewer), entity, id, PageRequest()).items


def changed(version: Version) -> Mapping[str, tuple[Any, Any]]:
    return {each.field: (each.before, each.after) for each in version.changed}


def test_each_version_says_who_when_and_what_became_another(here):
    opened = DealOpened(name="Deal", pipeline=STAGES.pipeline, stage=STAGES.new, probability=10)
    won = DealWon(previous=STAGES.new, stage=STAGES.won, amount=Decimal("10.50"), currency="USD")
    here.happens("account", uuid7(), AccountCreated(name="Before"))
    deal = here.happens("deal", uuid7(), opened, won, at=[on("2017-01-01"), on("2017-02-01")])
    first, second = versions(here, "deal", deal)
    assert (first.version, first.position, first.type, first.actor) == (1, 2, "deal.opened.v1", ACTOR)
    assert (second.version, second.position, second.occurred_at) == (2, 3, on("2017-02-01"))
    assert changed(first) == {
        "name": (None, "Deal"),
        "pipeline": (None, STAGES.pipeline),
        "stage": (None, STAGES.new),
        "probability": (None, 10),
    }
    assert changed(second) == {
        "stage": (STAGES.new, STAGES.won),
        "kind": ("open", "won"),
        "probability": (10, 100),
        "amount": (None, Decimal("10.50")),
        "currency": (None, "USD"),
        "left_stage": (None, STAGES.new),
    }


def test_values_of_any_kind_have_a_form_in_json(here):
    line = Line(description="Work", unit_price=Decimal("1.50"))
    opened = DealOpened(name="Deal", pipeline=STAGES.pipeline, stage=STAGES.new, probability=10)
    deal = here.happens("deal", uuid7(), opened, DealEdited(lines=(line,)))
    last = msgspec.json.decode(msgspec.json.encode(versions(here, "deal", deal)[-1]))
    assert last["changed"] == [
        {"field": "lines", "before": [], "after": [{"description": "Work", "unit_price": "1.50"}]}
    ]


def ada(here: Tenancy) -> UUID:
    return here.happens(
        "contact",
        uuid7(),
        ContactCreated(personal=ContactPersonal(first_name="Ada", last_name="Byron"), department="Engines"),
        ContactEdited(personal=ContactPersonal(first_name="Ada", last_name="Lovelace", title="Lady")),
        ContactAssigned(previous=None, owner=UUID(int=7)),
    )


def test_personal_fields_are_named_one_by_one(here):
    first, second, third = versions(here, "contact", ada(here))
    assert changed(first) == {
        "first_name": (None, "Ada"),
        "last_name": (None, "Byron"),
        "department": (None, "Engines"),
    }
    assert changed(second) == {"last_name": ("Byron", "Lovelace"), "title": (None, "Lady")}
    assert changed(third) == {"owner": (None, UUID(int=7))}


def test_of_erased_data_only_the_mention_is_left(here):
    contact = ada(here)
    with here.database.transaction(here.id) as transaction:
        transaction.execute(
            "UPDATE keys.subject_keys SET wrapped = NULL, erased_at = now()"
            " WHERE tenant_id = %(tenant)s AND subject = %(subject)s",
            {"subject": contact},
        )
    first, second, third = versions(here, "contact", contact)
    assert changed(first) == {"personal": (None, None), "department": (None, "Engines")}
    assert changed(second) == {"personal": (None, None)}
    assert changed(third) == {"owner": (None, UUID(int=7))}


def test_what_a_viewer_does_not_see_has_no_history(here, database, store):
    account = here.happens("account", uuid7(), AccountCreated(name="Acme", owner=UUID(int=1)))
    elsewhere = Tenancy(database, store)
    assert len(versions(here, "account", account, owners=frozenset({UUID(int=1)}))) == 1
    for tenancy, id, owners in (
        (here, account, frozenset({UUID(int=2)})),
        (here, uuid7(), None),
        (elsewhere, account, None),
    ):
        with pytest.raises(NotFound):
            versions(tenancy, "account", id, owners=owners)
