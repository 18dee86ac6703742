"""What holds for every entity, whatever is asked of it and whatever happened to it."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from application.catalogue import ENTITIES
from domain.accounts.events import Size
from domain.contacts.events import ContactPersonal
from domain.kernel import Erased, Refused, Sealed
from domain.neighbours import StageKind
from tests.domain.golden_files import cases
from tests.domain.specification import fold
from tests.domain.strategies import NEIGHBOURS, commands, of_type

every_entity = pytest.mark.parametrize("entity", list(ENTITIES.values()), ids=list(ENTITIES))
thoroughly = settings(max_examples=100)


def decided(entity, command, state, neighbours):
    """The events that a command decides, none where it is refused; a refusal can be told in JSON."""
    try:
        return entity.decide(command, state, neighbours)
    except Refused as refusal:
        msgspec.json.encode([refusal.code, refusal.message, refusal.field, refusal.details])
        return []


def sound_account(account):
    assert account.annual_revenue is None or account.currency is not None
    assert account.employees is None or account.size is Size.of(account.employees)


def sound_contact(contact):
    assert isinstance(contact.personal, ContactPersonal)
    assert contact.personal.emails or contact.personal.phones
    for several in (contact.personal.emails, contact.personal.phones):
        assert sum(each.primary for each in several) == bool(several)


def sound_pipeline(pipeline):
    assert {each.kind for each in pipeline.stages} == set(StageKind)
    assert len({each.id for each in pipeline.stages}) == len(pipeline.stages)
    assert not (pipeline.default and pipeline.archived)


def sound_deal(deal):
    if deal.kind is StageKind.WON:
        assert deal.probability == 100
        assert deal.amount is not None
        assert deal.currency is not None
    if deal.kind is not StageKind.LOST:
        assert deal.lost_reason is None
    assert deal.kind is StageKind.OPEN or deal.left_stage is not None


SOUND = {"account": sound_account, "contact": sound_contact, "pipeline": sound_pipeline, "deal": sound_deal}


@every_entity
@given(data=st.data())
@thoroughly
def test_any_list_of_commands_raises_nothing_but_refused_and_leaves_a_sound_record(entity, data):
    neighbours = data.draw(NEIGHBOURS)
    state = None
    for command in data.draw(commands(entity)):
        list(entity.references(command, state))
        events = decided(entity, command, state, neighbours)
        for event in events:
            assert msgspec.json.decode(msgspec.json.encode(event), type=type(event)) == event
            state = entity.evolve(state, event)
            assert isinstance(state, entity.state)
            entity.claims(state)
            SOUND.get(entity.name, id)(state)
        if events and not command.CREATES:
            assert not decided(entity, command, state, neighbours), "a command that is repeated changes nothing"


@every_entity
@given(data=st.data())
@thoroughly
def test_the_fold_takes_any_events_in_any_order(entity, data):
    any_event = st.one_of([of_type(each) for each in entity.events])
    state = None
    for event in data.draw(st.lists(any_event, max_size=8)):
        known = state is not None
        state = entity.evolve(state, event)
        assert isinstance(state, entity.state) or not known
        if state is not None:
            entity.claims(state)


def states(entity):
    """A record before it is there, as it is created in each way, and archived."""
    yield None
    for created in cases(entity.events[0]):
        state = fold(entity, created)
        yield state
        if "archived" in entity.state.__struct_fields__:
            yield structs.replace(state, archived=True)
        else:
            yield structs.replace(state, active=False)


@every_entity
def test_the_fold_takes_every_event_in_every_state(entity):
    for state in states(entity):
        for event_type in entity.events:
            for event in cases(event_type):
                after = entity.evolve(state, event)
                assert isinstance(after, entity.state) == (state is not None or event_type is entity.events[0])


@every_entity
def test_an_edit_leaves_what_it_does_not_name_as_it_was(entity):
    (edited,) = [each for each in entity.events if each.TYPE.endswith(".edited.v1")]
    for state in states(entity):
        if state is not None:
            assert entity.evolve(state, edited()) == state


@pytest.mark.parametrize("entity", [each for each in ENTITIES.values() if "personal" in each.state.__struct_fields__])
@pytest.mark.parametrize("gone", [Erased(), Sealed(b"?")])
def test_the_fold_replaces_personal_data_without_opening_it(entity, gone):
    created, edited = entity.events[:2]
    plain: Any = next(cases(created))
    state = fold(entity, plain, edited(personal=gone))
    assert state.personal == gone
    assert (
        fold(entity, structs.replace(plain, personal=gone), edited(personal=plain.personal)).personal == plain.personal
    )
