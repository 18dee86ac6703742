"""The rules of deals: opening, editing, moving, closing, reopening."""

from decimal import Decimal

import pytest

from domain.deals.commands import (
    ArchiveDeal,
    AssignDeal,
    ChangeDealStage,
    CloseDeal,
    CloseImportedDeal,
    DealNotClosed,
    DealNotOpen,
    DealValueRequired,
    EditDeal,
    LostReasonRequired,
    NoDefaultPipeline,
    NoSuchStage,
    OpenDeal,
    ReopenDeal,
    RestoreDeal,
    claims,
)
from domain.deals.events import (
    DealArchived,
    DealAssigned,
    DealEdited,
    DealLost,
    DealOpened,
    DealReopened,
    DealRestored,
    DealStageChanged,
    DealWon,
)
from domain.deals.state import Deal
from domain.kernel import AlreadyExists, Archived, Claim, Invalid, NotFound
from domain.neighbours import AccountFacts, PipelineFacts, StageFacts, StageKind
from tests.domain.specification import ENTITY_OF, fold, given, id_of, references_of

SALES, OTHER = id_of(100), id_of(200)
LEAD, OFFER, WON, LOST = id_of(101), id_of(102), id_of(103), id_of(104)
OTHER_LEAD, OTHER_WON = id_of(201), id_of(202)


def stage(id_, kind=StageKind.OPEN, probability=10):
    return StageFacts(id=id_, name=str(id_), kind=kind, probability=probability)


PIPELINES = {
    SALES: PipelineFacts(
        stages=(
            stage(LEAD),
            stage(OFFER, probability=50),
            stage(WON, StageKind.WON, 100),
            stage(LOST, StageKind.LOST, 0),
        )
    ),
    OTHER: PipelineFacts(stages=(stage(OTHER_LEAD, probability=20), stage(OTHER_WON, StageKind.WON, 100))),
}

OPENED = DealOpened(
    name="Engine", pipeline=SALES, stage=LEAD, probability=10, owner=id_of(1), amount=Decimal(1054), currency="USD"
)
UNPRICED = DealOpened(name="Engine", pipeline=SALES, stage=LEAD, probability=10)
AS_WON = DealWon(previous=LEAD, stage=WON, amount=Decimal(1054), currency="USD")
AS_LOST = DealLost(previous=OFFER, stage=LOST, reason="too dear")


def test_a_deal_opens_in_the_first_open_stage_with_its_probability():
    given().when(OpenDeal(name="Engine", pipeline=SALES), PIPELINES).then(UNPRICED)


def test_a_deal_opens_in_the_stage_that_is_named():
    command = OpenDeal(name="Engine", pipeline=SALES, stage=OFFER, probability=60)
    given().when(command, PIPELINES).then(DealOpened(name="Engine", pipeline=SALES, stage=OFFER, probability=60))


@pytest.mark.parametrize("closed", [WON, LOST, OTHER_LEAD, id_of(999)])
def test_a_deal_opens_in_no_closed_or_foreign_stage(closed):
    given().when(OpenDeal(name="A", pipeline=SALES, stage=closed), PIPELINES).then_refused(NoSuchStage, "/stage")


def test_a_deal_needs_a_pipeline():
    given().when(OpenDeal(name="A"), PIPELINES).then_refused(NoDefaultPipeline, "/pipeline")
    given().when(OpenDeal(name="A", pipeline=SALES)).then_refused(NoSuchStage, "/pipeline")
    given().when(OpenDeal(name="A", pipeline=SALES), {SALES: AccountFacts()}).then_refused(NoSuchStage, "/pipeline")


def test_a_deal_is_opened_once():
    given(OPENED).when(OpenDeal(name="A", pipeline=SALES), PIPELINES).then_refused(AlreadyExists)


@pytest.mark.parametrize(
    "command",
    [
        EditDeal(),
        ChangeDealStage(stage=OFFER),
        CloseDeal(outcome="won"),
        ReopenDeal(),
        AssignDeal(owner=id_of(1)),
        ArchiveDeal(),
        RestoreDeal(),
    ],
)
def test_a_deal_that_is_not_there_is_not_found(command):
    given().when(command, PIPELINES).then_refused(NotFound)


@pytest.mark.parametrize(
    "command",
    [
        EditDeal(name="B"),
        ChangeDealStage(stage=OFFER),
        CloseDeal(outcome="won"),
        ReopenDeal(),
        AssignDeal(owner=id_of(2)),
    ],
)
def test_an_archived_deal_takes_no_change(command):
    given(OPENED, DealArchived()).when(command, PIPELINES).then_refused(Archived)


def test_archiving_and_restoring():
    given(OPENED).when(ArchiveDeal()).then(DealArchived())
    given(OPENED, DealArchived()).when(ArchiveDeal()).then_nothing()
    given(OPENED, DealArchived()).when(RestoreDeal()).then(DealRestored())
    given(OPENED).when(RestoreDeal()).then_nothing()
    given(OPENED, DealArchived(), DealRestored()).when(EditDeal(name="B")).then(DealEdited(name="B"))


def test_assigning_records_both_owners():
    given(OPENED).when(AssignDeal(owner=id_of(2))).then(DealAssigned(previous=id_of(1), owner=id_of(2)))
    given(OPENED).when(AssignDeal(owner=id_of(1))).then_nothing()


def test_editing_records_only_what_changes():
    given(OPENED).when(EditDeal(name="Engine", next_step="call")).then(DealEdited(next_step="call"))
    given(OPENED).when(EditDeal(name="Engine", amount=Decimal("1054.00"))).then_nothing()


@pytest.mark.parametrize("amount", ["-1", "NaN", "sNaN", "-Infinity", "1E+999999", "0E+999999", "0.00001"])
def test_an_amount_is_one(amount):
    command = OpenDeal(name="A", pipeline=SALES, amount=Decimal(amount))
    given().when(command, PIPELINES).then_refused(Invalid, "/amount")
    given(OPENED).when(EditDeal(amount=Decimal(amount))).then_refused(Invalid, "/amount")
    won = CloseDeal(outcome="won", amount=Decimal(amount), currency="USD")
    given(OPENED).when(won, PIPELINES).then_refused(Invalid, "/amount")


def test_control_characters_are_refused():
    given(OPENED).when(EditDeal(competitors=("Acme", "\x00"))).then_refused(Invalid, "/competitors/1")


def test_moving_an_open_deal_records_both_stages():
    given(OPENED).when(ChangeDealStage(stage=OFFER), PIPELINES).then(
        DealStageChanged(previous=LEAD, pipeline=SALES, stage=OFFER, probability=50)
    )


def test_moving_to_the_same_stage_records_nothing():
    given(OPENED).when(ChangeDealStage(stage=LEAD), PIPELINES).then_nothing()
    given(OPENED, AS_WON).when(ChangeDealStage(stage=WON), PIPELINES).then_nothing()


def test_a_deal_moves_to_a_stage_of_its_pipeline_alone():
    given(OPENED).when(ChangeDealStage(stage=OTHER_LEAD), PIPELINES).then_refused(NoSuchStage, "/stage")
    elsewhere = ChangeDealStage(stage=LEAD, pipeline=OTHER)
    given(OPENED).when(elsewhere, PIPELINES).then_refused(NoSuchStage, "/stage")


def test_a_deal_moves_to_another_pipeline_when_it_is_named():
    given(OPENED).when(ChangeDealStage(stage=OTHER_LEAD, pipeline=OTHER), PIPELINES).then(
        DealStageChanged(previous=LEAD, pipeline=OTHER, stage=OTHER_LEAD, probability=20)
    )
    moved = DealStageChanged(previous=LEAD, pipeline=OTHER, stage=OTHER_LEAD, probability=20)
    given(OPENED, moved).when(CloseDeal(outcome="won"), PIPELINES).then(
        DealWon(previous=OTHER_LEAD, stage=OTHER_WON, amount=Decimal(1054), currency="USD")
    )


def test_a_deal_is_closed_in_its_own_pipeline():
    command = ChangeDealStage(stage=OTHER_WON, pipeline=OTHER)
    given(OPENED).when(command, PIPELINES).then_refused(NoSuchStage, "/stage")


def test_moving_to_a_won_or_lost_stage_closes_the_deal():
    given(OPENED).when(ChangeDealStage(stage=WON), PIPELINES).then(AS_WON)
    given(OPENED).when(ChangeDealStage(stage=LOST, reason="too dear"), PIPELINES).then(
        DealLost(previous=LEAD, stage=LOST, reason="too dear")
    )
    given(OPENED).when(ChangeDealStage(stage=LOST), PIPELINES).then_refused(LostReasonRequired, "/reason")


def test_a_won_deal_has_a_value():
    given(UNPRICED).when(CloseDeal(outcome="won"), PIPELINES).then_refused(DealValueRequired, "/amount")
    named = CloseDeal(outcome="won", currency="USD")
    given(UNPRICED).when(named, PIPELINES).then_refused(DealValueRequired, "/amount")
    priced = CloseDeal(outcome="won", amount=Decimal(5))
    given(UNPRICED).when(priced, PIPELINES).then_refused(DealValueRequired, "/currency")
    settled = CloseDeal(outcome="won", amount=Decimal(5), currency="EUR")
    given(OPENED).when(settled, PIPELINES).then(DealWon(previous=LEAD, stage=WON, amount=Decimal(5), currency="EUR"))
    free = CloseDeal(outcome="won", amount=Decimal(0))
    given(OPENED).when(free, PIPELINES).then(DealWon(previous=LEAD, stage=WON, amount=Decimal(0), currency="USD"))


def test_a_deal_is_in_a_currency_that_there_is():
    given().when(OpenDeal(name="Engine", pipeline=SALES, currency="XYZ"), PIPELINES).then_refused(Invalid, "/currency")
    given(OPENED).when(EditDeal(currency="XYZ"), PIPELINES).then_refused(Invalid, "/currency")
    won = CloseDeal(outcome="won", amount=Decimal(5), currency="XYZ")
    given(OPENED).when(won, PIPELINES).then_refused(Invalid, "/currency")


@pytest.mark.parametrize("left_out", [{"amount": None}, {"currency": None}])
def test_a_won_deal_keeps_its_value(left_out):
    given(OPENED, AS_WON).when(EditDeal(**left_out)).then_refused(DealValueRequired, "/amount")
    given(OPENED).when(EditDeal(**left_out)).then(DealEdited(**left_out))


def test_a_won_deal_can_get_another_value():
    given(OPENED, AS_WON).when(EditDeal(amount=Decimal(7))).then(DealEdited(amount=Decimal(7)))


def test_a_lost_deal_says_why():
    for reason in (None, "", "  "):
        command = CloseDeal(outcome="lost", reason=reason)
        given(OPENED).when(command, PIPELINES).then_refused(LostReasonRequired, "/reason")
    given(OPENED).when(CloseDeal(outcome="lost", reason="price"), PIPELINES).then(
        DealLost(previous=LEAD, stage=LOST, reason="price")
    )
    for reason in (None, "", "  "):
        given(OPENED, AS_LOST).when(EditDeal(lost_reason=reason)).then_refused(LostReasonRequired, "/lost_reason")
    given(OPENED, AS_LOST).when(EditDeal(lost_reason="price")).then(DealEdited(lost_reason="price"))


def test_only_a_lost_deal_says_why():
    given(OPENED).when(EditDeal(lost_reason="price")).then_refused(Invalid, "/lost_reason")
    given(OPENED).when(EditDeal(lost_reason=None)).then_nothing()


def test_a_lost_deal_of_an_import_may_not_say_why():
    given(OPENED).when(CloseImportedDeal(outcome="lost"), PIPELINES).then(DealLost(previous=LEAD, stage=LOST))
    given(OPENED, AS_WON).when(CloseImportedDeal(outcome="lost"), PIPELINES).then_refused(DealNotOpen)
    given(UNPRICED).when(CloseImportedDeal(outcome="won"), PIPELINES).then_refused(DealValueRequired, "/amount")
    assert CloseImportedDeal.PERMISSION == "deal:import"


@pytest.mark.parametrize("wrong", [LEAD, LOST, OTHER_WON])
def test_a_deal_is_won_in_a_won_stage(wrong):
    given(OPENED).when(CloseDeal(outcome="won", stage=wrong), PIPELINES).then_refused(NoSuchStage, "/stage")


def test_a_pipeline_without_a_stage_of_the_kind_closes_nothing():
    moved = DealStageChanged(previous=LEAD, pipeline=OTHER, stage=OTHER_LEAD, probability=20)
    command = CloseDeal(outcome="lost", reason="price")
    given(OPENED, moved).when(command, PIPELINES).then_refused(NoSuchStage, "/stage")


@pytest.mark.parametrize("closed", [AS_WON, AS_LOST])
@pytest.mark.parametrize("again", ["won", "lost"])
def test_a_closed_deal_is_not_closed_again(closed, again):
    command = CloseDeal(outcome=again, reason="price")
    given(OPENED, closed).when(command, PIPELINES).then_refused(DealNotOpen)


@pytest.mark.parametrize("closed", [AS_WON, AS_LOST])
def test_a_closed_deal_does_not_move(closed):
    given(OPENED, closed).when(ChangeDealStage(stage=OFFER), PIPELINES).then_refused(DealNotOpen, "/stage")


def test_the_probability_of_a_closed_deal_is_settled():
    given(OPENED, AS_WON).when(EditDeal(probability=50)).then_refused(DealNotOpen, "/probability")
    given(OPENED, AS_WON).when(EditDeal(probability=100)).then_nothing()
    given(OPENED).when(EditDeal(probability=55)).then(DealEdited(probability=55))


def test_a_deal_is_reopened_in_the_stage_it_was_closed_from():
    at_offer = DealStageChanged(previous=LEAD, pipeline=SALES, stage=OFFER, probability=50)
    given(OPENED, at_offer, AS_LOST).when(ReopenDeal(), PIPELINES).then(
        DealReopened(previous=LOST, stage=OFFER, probability=50)
    )
    given(OPENED, AS_WON).when(ReopenDeal(stage=OFFER), PIPELINES).then(
        DealReopened(previous=WON, stage=OFFER, probability=50)
    )


def test_a_deal_is_reopened_in_an_open_stage():
    given(OPENED, AS_WON).when(ReopenDeal(stage=LOST), PIPELINES).then_refused(NoSuchStage, "/stage")
    given(OPENED, AS_WON).when(ReopenDeal(stage=OTHER_LEAD), PIPELINES).then_refused(NoSuchStage, "/stage")


def test_an_open_deal_is_not_reopened():
    given(OPENED).when(ReopenDeal(), PIPELINES).then_refused(DealNotClosed)


def test_a_reopened_deal_has_no_reason_for_its_loss_and_can_be_closed_again():
    reopened = DealReopened(previous=LOST, stage=LEAD, probability=10)
    state = fold(ENTITY_OF[OpenDeal], OPENED, AS_LOST, reopened)
    assert (state.kind, state.lost_reason, state.probability) == (StageKind.OPEN, None, 10)
    given(OPENED, AS_LOST, reopened).when(CloseDeal(outcome="won"), PIPELINES).then(AS_WON)


def test_outcomes_settle_stage_probability_and_value():
    won = fold(ENTITY_OF[OpenDeal], UNPRICED, AS_WON)
    assert (won.kind, won.stage, won.probability) == (StageKind.WON, WON, 100)
    assert (won.amount, won.currency) == (Decimal(1054), "USD")
    lost = fold(ENTITY_OF[OpenDeal], OPENED, AS_LOST)
    assert (lost.kind, lost.stage, lost.probability, lost.lost_reason) == (StageKind.LOST, LOST, 0, "too dear")


def test_the_pipeline_is_guarded():
    entity = ENTITY_OF[OpenDeal]
    state = fold(entity, OPENED)
    for command in (
        OpenDeal(name="A", pipeline=SALES),
        ChangeDealStage(stage=OFFER),
        ChangeDealStage(stage=OTHER_LEAD, pipeline=OTHER),
        CloseDeal(outcome="won"),
        ReopenDeal(),
    ):
        (reference,) = entity.references(command, state)
        assert reference.guarded
        assert reference.entity == "pipeline"
        assert reference.id == (OTHER if getattr(command, "pipeline", None) == OTHER else SALES)


def test_a_deal_can_go_on_in_a_pipeline_that_was_archived_but_not_come_into_it():
    entity = ENTITY_OF[OpenDeal]
    state = fold(entity, OPENED)
    (stays,) = entity.references(ChangeDealStage(stage=OFFER, pipeline=SALES), state)
    (comes,) = entity.references(ChangeDealStage(stage=OTHER_LEAD, pipeline=OTHER), state)
    (opens,) = entity.references(OpenDeal(name="A", pipeline=SALES), None)
    assert (stays.optional, comes.optional, opens.optional) == (True, False, False)


def test_only_what_is_newly_named_must_exist():
    held = DealOpened(name="A", pipeline=SALES, stage=LEAD, probability=1, owner=id_of(1), account=id_of(5))
    assert references_of(EditDeal(account=id_of(5)), held) == []
    assert references_of(EditDeal(account=id_of(6)), held) == [("/account", "account", id_of(6))]
    assert references_of(AssignDeal(owner=id_of(1)), held) == []
    assert references_of(AssignDeal(owner=id_of(2)), held) == [("/owner", "user", id_of(2))]
    assert references_of(ArchiveDeal(), held) == []
    assert references_of(OpenDeal(name="A")) == []
    opening = OpenDeal(name="A", pipeline=SALES, owner=id_of(1), account=id_of(5))
    assert references_of(opening) == [
        ("/pipeline", "pipeline", SALES),
        ("/owner", "user", id_of(1)),
        ("/account", "account", id_of(5)),
    ]


def test_an_external_id_is_claimed():
    deal = Deal(name="A", pipeline=SALES, stage=LEAD, probability=1, external_id="1C1I7A6R")
    assert claims(deal) == {Claim("deal.external_id", "1C1I7A6R")}
    assert claims(Deal(name="A", pipeline=SALES, stage=LEAD, probability=1)) == frozenset()
