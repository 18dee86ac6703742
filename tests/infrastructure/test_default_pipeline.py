"""A tenant has one default pipeline at any time, whoever makes others the default one at once."""

import pytest
from uuid_utils.compat import uuid7

from application.handling import AlreadyTaken, Handler, default_pipeline
from application.ports import Idempotency
from application.recording import stream_name
from domain.kernel import Archived
from domain.pipelines.commands import (
    ArchivePipeline,
    CreatePipeline,
    DefaultPipelineNeeded,
    EditPipeline,
    MakePipelineDefault,
    stages_for_new_tenants,
)
from tests.infrastructure.racing import Asked, operator, race
from tests.infrastructure.silence import Silence

MAKE_DEFAULT = MakePipelineDefault()


class Pipelines:
    """The pipelines of a tenant; `before` happens once, right before the next append."""

    def __init__(self, store, tenant):
        self.store = store
        self.tenant = tenant
        self.before = []
        self.handler = Handler(self, Silence())

    def __getattr__(self, name):
        return getattr(self.store, name)

    def append(self, tenant, append):
        if self.before:
            self.before.pop()()
        return self.store.append(tenant, append)

    def ask(self, pipeline, command, **others):
        return self.handler.handle(operator(self.tenant), "pipeline", pipeline, command, **others)

    def make(self, *, default=False):
        pipeline = uuid7()
        stages = stages_for_new_tenants([uuid7() for _ in range(6)])
        self.ask(pipeline, CreatePipeline(name="Sales", stages=stages, default=default))
        return pipeline

    def defaults(self, *pipelines):
        """Those of the pipelines that are the default one; the claim must say the same."""
        found = [each for each in pipelines if self.handler.present(self.tenant, "pipeline", each).state.default]
        assert default_pipeline(self.store, self.tenant) == (found[0] if found else None)
        return found


@pytest.fixture
def pipelines(store, tenant):
    return Pipelines(store, tenant)


def test_both_pipelines_get_an_event_in_one_append(pipelines, store, tenant):
    old, new = pipelines.make(default=True), pipelines.make()

    outcome = pipelines.ask(new, MAKE_DEFAULT)

    assert (outcome.id, outcome.version, outcome.position) == (new, 2, 4)
    assert pipelines.defaults(old, new) == [new]
    events = store.log(tenant, after=2, limit=9)
    assert {(each.id, each.version, each.event.default) for each in events} == {(old, 2, False), (new, 2, True)}
    assert len({each.recorded_at for each in events}) == 1
    pipelines.ask(old, ArchivePipeline())
    with pytest.raises(DefaultPipelineNeeded):
        pipelines.ask(new, ArchivePipeline())


def test_the_default_pipeline_is_made_it_again_without_an_event(pipelines, store, tenant):
    old, new = pipelines.make(default=True), pipelines.make()
    first = pipelines.ask(new, MAKE_DEFAULT)
    assert pipelines.ask(new, MAKE_DEFAULT).version == first.version
    assert store.head(tenant) == first.position
    assert pipelines.defaults(old, new) == [new]


def test_a_repeated_request_gets_the_answer_of_the_first_whichever_stream_is_named_first(pipelines):
    """Ids and so the streams' names are in the order in which they were made: each of both comes first once."""
    first, second = pipelines.make(default=True), pipelines.make()
    for number, pipeline in enumerate((second, first)):
        key = Idempotency(key=f"key {number}", request=b"")
        answer = pipelines.ask(pipeline, MAKE_DEFAULT, idempotency=key)
        assert answer.id == pipeline
        assert pipelines.ask(pipeline, MAKE_DEFAULT, idempotency=key) == answer


def test_a_tenant_without_a_default_pipeline_gets_one(pipelines):
    one = pipelines.make()
    pipelines.ask(one, MAKE_DEFAULT)
    assert pipelines.defaults(one) == [one]


def test_creating_a_second_default_pipeline_is_refused(pipelines):
    old = pipelines.make(default=True)
    with pytest.raises(AlreadyTaken):
        pipelines.make(default=True)
    assert pipelines.defaults(old) == [old]


@pytest.mark.parametrize("had_one", [True, False])
def test_a_pipeline_that_became_the_default_one_meanwhile_gives_way_too(pipelines, had_one):
    old, other, new = pipelines.make(default=had_one), pipelines.make(), pipelines.make()
    pipelines.before.append(lambda: pipelines.ask(other, MAKE_DEFAULT))
    pipelines.ask(new, MAKE_DEFAULT)
    assert pipelines.defaults(old, other, new) == [new]


def test_an_edit_of_the_old_one_meanwhile_is_kept(pipelines, store, tenant):
    old, new = pipelines.make(default=True), pipelines.make()
    pipelines.before.append(lambda: pipelines.ask(old, EditPipeline(name="Deals")))
    pipelines.ask(new, MAKE_DEFAULT)
    assert [each.version for each in store.stream(tenant, stream_name("pipeline", old))] == [1, 2, 3]
    assert pipelines.handler.present(tenant, "pipeline", old).state.name == "Deals"
    assert pipelines.defaults(old, new) == [new]


def test_a_pipeline_that_was_made_the_default_one_meanwhile_gets_no_second_event(pipelines):
    old, new = pipelines.make(default=True), pipelines.make()
    pipelines.before.append(lambda: pipelines.ask(new, MAKE_DEFAULT))
    assert pipelines.ask(new, MAKE_DEFAULT).version == 2
    assert pipelines.defaults(old, new) == [new]


def test_a_pipeline_that_was_archived_meanwhile_is_refused(pipelines):
    old, new = pipelines.make(default=True), pipelines.make()
    pipelines.before.append(lambda: pipelines.ask(new, ArchivePipeline()))
    with pytest.raises(Archived):
        pipelines.ask(new, MAKE_DEFAULT)
    assert pipelines.defaults(old, new) == [old]


def test_two_processes_that_make_pipelines_the_default_one_leave_one(urls, pipelines, tenant):
    made = [pipelines.make(default=number == 0) for number in range(3)]
    racers = [
        [Asked("pipeline", each, MAKE_DEFAULT) for each in (one, other) * 5] for one, other in (made[1:], made[:2])
    ]

    said = race(urls.app, tenant, *racers)

    assert set(said) <= {"done", "too_many_conflicts"}
    assert said.count("done") >= 10
    assert len(pipelines.defaults(*made)) == 1


def test_one_that_archives_and_one_that_makes_it_the_default_never_both_get_their_way(urls, store):
    for _ in range(3):
        tenant = uuid7()
        pipelines = Pipelines(store, tenant)
        old, new = pipelines.make(default=True), pipelines.make()

        said = race(urls.app, tenant, *[[Asked("pipeline", new, each)] for each in (MAKE_DEFAULT, ArchivePipeline())])

        assert said in (["archived", "done"], ["default_pipeline_needed", "done"])
        (default,) = pipelines.defaults(old, new)
        assert not pipelines.handler.present(tenant, "pipeline", default).state.archived
