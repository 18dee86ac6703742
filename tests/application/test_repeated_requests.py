"""The same request twice: its first answer holds, whatever others did meanwhile."""

from decimal import Decimal
from uuid import uuid4

import pytest
from uuid_utils.compat import uuid7

from application.handling import Handler, IdempotencyKeyReused, Sender
from application.ports import Idempotency
from domain.deals.commands import ChangeDealStage, CloseDeal, OpenDeal
from domain.permissions import HELD_BY, Role
from domain.pipelines.commands import CreatePipeline, stages_for_new_tenants
from tests.infrastructure.silence import Silence

STAGES = [uuid7() for _ in range(6)]


@pytest.fixture
def sales(store, tenant):
    """A handler, a sender, and an open deal in the first stage."""
    handler = Handler(store, Silence())
    sender = Sender(tenant=tenant, actor="test", permissions=HELD_BY[Role.ADMIN], correlation=uuid4())
    pipeline, deal = uuid7(), uuid7()
    stages = stages_for_new_tenants(STAGES)
    handler.handle(sender, "pipeline", pipeline, CreatePipeline(name="Sales", stages=stages, default=True))
    handler.handle(sender, "deal", deal, OpenDeal(name="A deal", pipeline=pipeline, amount=Decimal(10), currency="USD"))
    return handler, sender, deal


def test_a_request_that_changed_nothing_changes_nothing_when_it_is_repeated(sales, store, tenant):
    handler, sender, deal = sales
    key = Idempotency(key="k", request=b"to the first stage")
    first = handler.handle(sender, "deal", deal, ChangeDealStage(stage=STAGES[0]), idempotency=key)
    handler.handle(sender, "deal", deal, ChangeDealStage(stage=STAGES[1]))

    again = handler.handle(sender, "deal", deal, ChangeDealStage(stage=STAGES[0]), idempotency=key)

    assert (again, first.version) == (first, 1)
    assert handler.present(tenant, "deal", deal).state.stage == STAGES[1]
    with pytest.raises(IdempotencyKeyReused):
        other = Idempotency(key="k", request=b"another")
        handler.handle(sender, "deal", deal, ChangeDealStage(stage=STAGES[2]), idempotency=other)


def test_of_two_requests_at_once_the_later_gets_the_answer_of_the_first(sales, monkeypatch):
    """The second looks for an answer before the first is stored, and decides after it."""
    handler, sender, deal = sales
    key = Idempotency(key="k", request=b"won")
    won = CloseDeal(outcome="won")
    looked = []
    look = Handler._answered

    def look_before_the_other_is_stored(self, sender, idempotency):
        if not looked:
            looked.append(True)
            looked.append(self.handle(sender, "deal", deal, won, idempotency=key))
            return None
        return look(self, sender, idempotency)

    monkeypatch.setattr(Handler, "_answered", look_before_the_other_is_stored)

    assert handler.handle(sender, "deal", deal, won, idempotency=key) == looked[1]
