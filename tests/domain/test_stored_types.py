"""What is stored stays readable: names, shapes and the way through the Mapper."""

import json
import re
from collections import Counter
from datetime import UTC, datetime

import msgspec
import pytest
from msgspec import structs

from application.catalogue import ENTITIES, EVENT_TYPES, JOURNALS
from application.recording import Entry, Mapper, Metadata
from application.upcasting import UPCASTERS, upcast
from domain.kernel import Erased, Personal, Sealed
from tests.domain.examples import example
from tests.domain.golden_files import FOLDER, cases, told, written
from tests.domain.specification import ENTITY_OF, commands_of, id_of

MAPPER = Mapper(EVENT_TYPES)
KINDS = {**{name: entity.events for name, entity in ENTITIES.items()}, **JOURNALS}
EVENTS = [each for events in KINDS.values() for each in events]
ALL_CASES = [case for each in EVENTS for case in cases(each)]


def seal(plain):
    return Sealed(bytes(each ^ 0x55 for each in plain))


def sealed(event):
    return isinstance(getattr(event, "personal", None), Sealed)


def entry(event):
    metadata = MAPPER.metadata(Metadata(actor="system", correlation=id_of(1)))
    return Entry(
        originator_id=f"{event.TYPE.partition('.')[0]}-{id_of(5)}",
        originator_version=1,
        topic=event.TYPE,
        state=MAPPER.payload(event, seal),
        id=1,
        tenant=id_of(2),
        metadata=metadata,
        occurred_at=datetime(2017, 3, 1, tzinfo=UTC),
        recorded_at=datetime(2017, 3, 1, tzinfo=UTC),
    )


def opened(subject, personal):
    assert subject == id_of(5)
    return seal(personal.data).data


def test_stored_names_are_unique():
    names = Counter(each.TYPE for each in EVENTS)
    assert names.most_common(1)[0][1] == 1
    assert set(names) == set(EVENT_TYPES)


@pytest.mark.parametrize("event_type", EVENTS)
def test_a_stored_name_says_entity_fact_and_version(event_type):
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+\.v\d+", event_type.TYPE)
    (entity,) = [name for name, events in KINDS.items() if event_type in events]
    assert event_type.TYPE.startswith(f"{entity}.")


@pytest.mark.parametrize("event_type", EVENTS)
def test_an_event_tells_what_it_means(event_type):
    assert vars(event_type).get("__doc__")


@pytest.mark.parametrize("command", list(ENTITY_OF))
def test_a_command_tells_what_it_asks_and_names_its_permission(command):
    assert vars(command).get("__doc__")
    entity = ENTITY_OF[command].name
    assert re.fullmatch(rf"{entity}:(create|update|delete|assign|import|manage)", command.PERMISSION)
    assert command.PERMISSION.endswith(":create") is command.CREATES


def test_every_entity_has_one_command_that_creates_it():
    for entity in ENTITIES.values():
        assert len([each for each in commands_of(entity) if each.CREATES]) == 1


@pytest.mark.parametrize("event", [each for each in ALL_CASES if not sealed(each)], ids=lambda each: each.TYPE)
def test_an_event_comes_through_the_mapper_unchanged(event):
    assert MAPPER.recorded(entry(event), opened).event == event


@pytest.mark.parametrize("event_type", [each for each in EVENTS if MAPPER.is_personal(each.TYPE)])
def test_personal_data_is_stored_sealed(event_type):
    event = example(event_type)
    assert isinstance(event.personal, Personal)
    stored = entry(event)
    assert b"some first_name" not in stored.state
    assert sealed(MAPPER.recorded(stored, None).event)
    assert MAPPER.recorded(stored, lambda *_: None).event == structs.replace(event, personal=Erased())


def test_personal_data_is_in_the_events_that_say_who_somebody_is():
    assert {each.TYPE for each in EVENTS if MAPPER.is_personal(each.TYPE)} == {
        "contact.created.v1",
        "contact.edited.v1",
        "file.attached.v1",
        "file.edited.v1",
        "user.created.v1",
        "user.edited.v1",
    }


def golden():
    for each in sorted(FOLDER.glob("*.json")):
        for number, case in enumerate(json.loads(each.read_text())):
            yield pytest.param(each.stem, case, id=f"{each.stem}-{number}")


@pytest.mark.parametrize(("name", "case"), list(golden()))
def test_what_was_stored_is_read_as_ever(name, case):
    current, payload = upcast(name, msgspec.json.encode(case["stored"]))
    assert told(msgspec.json.decode(payload, type=EVENT_TYPES[current])) == case["read as"]


@pytest.mark.parametrize("event_type", EVENTS)
def test_the_first_golden_case_of_a_type_sets_every_field(event_type):
    """So that the files can't miss a field that was added or renamed since."""
    cases_of_type = json.loads((FOLDER / f"{event_type.TYPE}.json").read_text())
    shown = {name for case in cases_of_type for name in case["stored"]}
    assert shown >= set(event_type.__struct_fields__)


@pytest.mark.parametrize("event_type", EVENTS)
def test_what_is_stored_today_is_what_the_golden_file_shows(event_type):
    case = json.loads((FOLDER / f"{event_type.TYPE}.json").read_text())[0]
    event = msgspec.json.decode(msgspec.json.encode(case["stored"]), type=event_type)
    assert written(event) == case


def test_every_stored_type_has_a_golden_file_and_none_vanishes():
    names = {each.stem for each in FOLDER.glob("*.json")}
    assert names >= set(EVENT_TYPES)
    assert names <= set(EVENT_TYPES) | set(UPCASTERS)
