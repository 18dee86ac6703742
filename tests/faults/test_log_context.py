"""The ids of a request, from its log line through the queue to the log lines of its projecting."""

import io
import json
import logging
from contextvars import copy_context

import pytest
from uuid_utils.compat import uuid7

from api.logs import JsonLines
from infrastructure.log_context import about, note, present
from infrastructure.log_files import Wanted
from tests.faults.stand import eventually


@pytest.fixture
def lines():
    """The log of this process, as it is written."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("tests.projecting")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lambda: [json.loads(each) for each in written.getvalue().splitlines()]
    logger.removeHandler(handler)


def test_a_batch_is_logged_with_the_ids_of_the_request_whose_message_woke_it(projectors, tenant, lines):
    logger = logging.getLogger("tests.projecting")
    projectors.stand.engine.on_fed = lambda fed: logger.info("projected", extra=fed.told())
    with about(request="r-1", correlation="c-1", actor="user-1"):
        projectors.open(tenant, 2)
    with projectors.working():
        eventually(lambda: projectors.is_done(tenant))
        eventually(lambda: len(lines()) >= 3)
    for each in lines()[:3]:
        assert (each["request"], each["correlation"], each["tenant"]) == ("r-1", "c-1", str(tenant))
        assert each["actors"] == ["cli"]
    assert {each["group"] for each in lines()} == {"relational", "search", "audit"}
    assert present() == {}


def test_a_batch_is_logged_with_the_ids_of_all_requests_that_shared_a_wake_up(projectors, tenant, lines):
    logger = logging.getLogger("tests.projecting")
    projectors.stand.engine.on_fed = lambda fed: logger.info("projected", extra=fed.told())
    correlations, actors = [uuid7() for _ in range(25)], [f"user-{uuid7()}" for _ in range(2)]
    for number, correlation in enumerate(correlations):
        with about(request=f"r-{number}", correlation=correlation):
            projectors.stand.open(tenant, request=f"r-{number}", correlation=correlation, actor=actors[number % 2])
            projectors.wakeups.appended(tenant, actors[number % 2], number + 1, ["deal"])
    with projectors.working():
        eventually(lambda: projectors.is_done(tenant))
        eventually(lambda: len(lines()) >= 3)
    for each in lines():
        assert each["requests"] == [f"r-{number}" for number in range(20)]
        assert each["correlations"] == [str(correlation) for correlation in correlations[:20]]
        assert each["actors"] == actors
        assert each["more"] == {"requests": 5, "correlations": 5}
    for wanted in ({"request": "r-19"}, {"correlation": str(correlations[3])}, {"actor": actors[1]}):
        assert len([each for each in lines() if Wanted(ids=wanted).holds(each)]) == 3


def test_a_wake_up_of_nobodys_request_carries_no_ids(projectors, tenant, lines):
    logger = logging.getLogger("tests.projecting")
    projectors.stand.engine.on_fed = lambda fed: logger.info("projected", extra=fed.told())
    projectors.open(tenant, 1)
    with projectors.working():
        eventually(lambda: len(lines()) >= 3)
    assert not [each for each in lines() if {"request", "requests", "correlation"} & each.keys()]


def test_what_is_noted_on_the_way_is_known_to_all_who_share_the_context():
    with about(request="r-1"):
        copy_context().run(note, tenant=uuid7(), actor=None)
        assert set(present()) == {"request", "tenant"}
        with about(correlation="c-1"):
            assert set(present()) == {"request", "tenant", "correlation"}
        assert set(present()) == {"request", "tenant"}
    assert present() == {}
    note(request="r-2")
    assert present() == {}
