"""What a command's sender implies."""

from itertools import count

import pytest

from application.completing import complete
from domain.accounts.commands import CreateAccount
from domain.contacts.commands import CreateContact
from domain.deals.commands import EditDeal, NoDefaultPipeline, OpenDeal
from domain.neighbours import StageKind
from domain.pipelines.commands import CreatePipeline, EditPipeline, StageDraft
from domain.products.commands import CreateProduct
from tests.domain.specification import id_of

ME, SOMEBODY, SALES = id_of(1), id_of(2), id_of(3)


def completed(command, *, actor_user=ME, default_pipeline=SALES):
    numbers = count(50)
    return complete(
        command,
        actor_user=actor_user,
        default_pipeline=lambda: default_pipeline,
        new_id=lambda: id_of(next(numbers)),
    )


@pytest.mark.parametrize(
    "command",
    [CreateAccount(name="A"), CreateContact(first_name="A", last_name="B"), OpenDeal(name="A", pipeline=SALES)],
)
def test_a_new_record_belongs_to_who_made_it(command):
    assert completed(command).owner == ME
    assert completed(command, actor_user=None).owner is None


def test_an_owner_who_is_named_stays():
    assert completed(CreateAccount(name="A", owner=SOMEBODY)).owner == SOMEBODY


def test_a_deal_goes_into_the_default_pipeline():
    assert completed(OpenDeal(name="A")).pipeline == SALES


def test_a_pipeline_that_is_named_stays_and_the_default_one_is_not_looked_up():
    command = OpenDeal(name="A", owner=ME, pipeline=SALES)
    assert complete(command, actor_user=ME, default_pipeline=pytest.fail, new_id=pytest.fail) == command


def test_without_a_default_pipeline_a_deal_must_name_one():
    with pytest.raises(NoDefaultPipeline) as refusal:
        completed(OpenDeal(name="A"), default_pipeline=None)
    assert refusal.value.field == "/pipeline"


def test_new_stages_get_ids_and_old_ones_keep_theirs():
    old = StageDraft(id=id_of(7), name="Won", probability=100, kind=StageKind.WON)
    stages = (StageDraft(name="Lead", probability=1), old, StageDraft(name="Lost", probability=0))
    for command in (CreatePipeline(name="A", stages=stages), EditPipeline(stages=stages)):
        ids = [each.id for each in completed(command).stages]
        assert ids == [id_of(50), id_of(7), id_of(51)]


@pytest.mark.parametrize("command", [CreateProduct(name="A"), EditDeal(name="A"), EditPipeline(name="A")])
def test_what_implies_nothing_stays_as_it_is(command):
    assert completed(command) == command
