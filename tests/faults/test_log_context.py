"""The ids of a request, from its log line through the queue to the log lines of its projecting."""

import io
import json
import logging
from contextvars import copy_context

import pytest
from uuid_utils.compat import uuid7

from api.logs import JsonLines
from infrastructure.log_context import about, note, present
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
        assert "actor" not in each
    assert {each["group"] for each in lines()} == {"relational", "search", "audit"}
    assert present() == {}


def test_a_wake_up_of_nobodys_request_carries_no_ids(projectors, tenant, lines):
    logger = logging.getLogger("tests.projecting")
    projectors.stand.engine.on_fed = lambda fed: logger.info("projected", extra=fed.told())
    projectors.open(tenant, 1)
    with projectors.working():
        eventually(lambda: len(lines()) >= 3)
    assert not [each for each in lines() if "request" in each or "correlation" in each]


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
