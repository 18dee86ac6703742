"""The rules of pipelines."""

import pytest

from application.catalogue import ENTITIES
from domain.kernel import AlreadyExists, Archived, Claim, Invalid, NotFound
from domain.neighbours import StageKind
from domain.pipelines.commands import (
    ArchivePipeline,
    CreatePipeline,
    DefaultPipelineNeeded,
    EditPipeline,
    MakePipelineDefault,
    RestorePipeline,
    StageDraft,
    claims,
    displaced,
    stages_for_new_tenants,
)
from domain.pipelines.events import PipelineArchived, PipelineCreated, PipelineEdited, PipelineRestored, Stage
from domain.pipelines.state import Pipeline
from tests.domain.specification import commands_of, facts_of, given, id_of

OPEN = StageDraft(id=id_of(1), name="Open", probability=10)
WON = StageDraft(id=id_of(2), name="Won", probability=100, kind=StageKind.WON)
LOST = StageDraft(id=id_of(3), name="Lost", probability=0, kind=StageKind.LOST)
MORE = StageDraft(id=id_of(4), name="More", probability=50, colour="#2f855a")


def recorded(*drafts):
    return tuple(
        Stage(id=each.id, name=each.name, kind=each.kind, probability=each.probability, colour=each.colour)
        for each in drafts
    )


SALES = PipelineCreated(name="Sales", stages=recorded(OPEN, WON, LOST))


def test_creating_a_pipeline_records_its_stages_in_their_order():
    given().when(CreatePipeline(name="Sales", stages=(OPEN, WON, LOST))).then(SALES)


def test_a_pipeline_is_created_once():
    given(SALES).when(CreatePipeline(name="Sales", stages=(OPEN, WON, LOST))).then_refused(AlreadyExists)


@pytest.mark.parametrize("command", [EditPipeline(), ArchivePipeline(), RestorePipeline(), MakePipelineDefault()])
def test_a_pipeline_that_is_not_there_is_not_found(command):
    given().when(command).then_refused(NotFound)


@pytest.mark.parametrize("left_out", [OPEN, WON, LOST])
def test_a_pipeline_has_a_stage_of_each_kind(left_out):
    stages = tuple(each for each in (OPEN, WON, LOST) if each != left_out)
    given().when(CreatePipeline(name="Sales", stages=stages)).then_refused(Invalid, "/stages")


def test_a_stage_has_an_id_and_a_name_of_its_own():
    same_id = StageDraft(id=OPEN.id, name="Other", probability=1)
    same_name = StageDraft(id=id_of(9), name="OPEN", probability=1)
    for stage in (same_id, same_name):
        given().when(CreatePipeline(name="Sales", stages=(OPEN, stage, WON, LOST))).then_refused(Invalid, "/stages")
    without_id = StageDraft(name="Other", probability=1)
    command = CreatePipeline(name="Sales", stages=(OPEN, without_id, WON, LOST))
    given().when(command).then_refused(Invalid, "/stages/1/id")


def test_stages_can_be_added_renamed_and_reordered():
    renamed = StageDraft(id=OPEN.id, name="Lead", probability=20)
    given(SALES).when(EditPipeline(stages=(MORE, renamed, WON, LOST))).then(
        PipelineEdited(stages=recorded(MORE, renamed, WON, LOST))
    )
    given(SALES).when(EditPipeline(name="Sales", stages=(OPEN, WON, LOST))).then_nothing()


def test_a_stage_that_deals_may_be_in_stays_with_its_kind():
    given(SALES).when(EditPipeline(stages=(MORE, WON, LOST))).then_refused(Invalid, "/stages")
    turned = StageDraft(id=OPEN.id, name="Open", probability=10, kind=StageKind.WON)
    given(SALES).when(EditPipeline(stages=(turned, MORE, WON, LOST))).then_refused(Invalid, "/stages")


def test_control_characters_are_refused():
    given(SALES).when(EditPipeline(name="\x00")).then_refused(Invalid, "/name")


def test_an_archived_pipeline_takes_no_change():
    given(SALES, PipelineArchived()).when(EditPipeline(name="B")).then_refused(Archived)


def test_archiving_and_restoring():
    given(SALES).when(ArchivePipeline()).then(PipelineArchived())
    given(SALES, PipelineArchived()).when(ArchivePipeline()).then_nothing()
    given(SALES, PipelineArchived()).when(RestorePipeline()).then(PipelineRestored())
    given(SALES).when(RestorePipeline()).then_nothing()
    again = given(SALES, PipelineArchived(), PipelineRestored())
    again.when(EditPipeline(name="Deals")).then(PipelineEdited(name="Deals"))


def test_the_default_pipeline_stays():
    default = PipelineCreated(name="Sales", stages=SALES.stages, default=True)
    given(default).when(ArchivePipeline()).then_refused(DefaultPipelineNeeded)


def test_another_pipeline_becomes_the_default_one():
    given(SALES).when(MakePipelineDefault()).then(PipelineEdited(default=True))
    given(SALES, PipelineEdited(default=True)).when(MakePipelineDefault()).then_nothing()
    given(SALES, PipelineEdited(default=True)).when(ArchivePipeline()).then_refused(DefaultPipelineNeeded)


def test_an_archived_pipeline_does_not_become_the_default_one():
    given(SALES, PipelineArchived()).when(MakePipelineDefault()).then_refused(Archived)


def test_the_default_pipeline_gives_way_to_another():
    claim = Claim("pipeline.default", "")
    default = Pipeline(name="Sales", stages=(), default=True, external_id="p1")
    assert displaced(default, claim) == [PipelineEdited(default=False)]
    assert displaced(Pipeline(name="Other", stages=()), claim) == []
    assert displaced(default, Claim("pipeline.external_id", "p1")) == []
    given(SALES, PipelineEdited(default=True), PipelineEdited(default=False)).when(ArchivePipeline()).then(
        PipelineArchived()
    )


def test_only_what_makes_a_pipeline_the_default_one_takes_that_over():
    taking = [each for each in commands_of(ENTITIES["pipeline"]) if each.TAKES_OVER]
    assert taking == [MakePipelineDefault]


def test_a_tenant_has_one_default_pipeline():
    state = Pipeline(name="Sales", stages=(), default=True, external_id="p1")
    assert claims(state) == {Claim("pipeline.default", ""), Claim("pipeline.external_id", "p1")}
    assert claims(Pipeline(name="Other", stages=())) == frozenset()


def test_a_new_tenant_gets_six_stages():
    stages = stages_for_new_tenants([id_of(number) for number in range(6)])
    event = given().when(CreatePipeline(name="Sales", stages=stages, default=True)).then_one()
    assert [(each.name, each.probability, each.kind.value) for each in event.stages] == [
        ("Lead", 10, "open"),
        ("Qualified", 25, "open"),
        ("Proposal", 50, "open"),
        ("Negotiation", 75, "open"),
        ("Closed Won", 100, "won"),
        ("Closed Lost", 0, "lost"),
    ]


def test_deals_see_the_stages_in_their_order():
    facts = facts_of("pipeline", SALES, PipelineArchived())
    assert [(each.id, each.kind) for each in facts.stages] == [
        (id_of(1), StageKind.OPEN),
        (id_of(2), StageKind.WON),
        (id_of(3), StageKind.LOST),
    ]
    assert facts.archived
    assert facts.stage(id_of(2)).name == "Won"
    assert facts.stage(id_of(9)) is None
    assert facts.first(StageKind.LOST).id == id_of(3)
