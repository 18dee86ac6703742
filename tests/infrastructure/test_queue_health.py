"""Which figures of a queue are a problem."""

import json
import secrets

import pytest
import redis

from infrastructure.queue_health import QueueFigures, Queues


@pytest.mark.parametrize(
    ("delayed", "waiting", "problems"),
    [
        (50, 1000, []),
        (51, 1000, ["projections: 51 failed, more than 50"]),
        (50, 1001, ["projections: 1001 waiting, more than 1000"]),
        (51, 1001, ["projections: 51 failed, more than 50", "projections: 1001 waiting, more than 1000"]),
    ],
)
def test_a_queue_is_unwell_with_more_than_50_failed_or_1000_waiting(delayed, waiting, problems):
    figures = QueueFigures(
        queue="projections", waiting=waiting, in_progress=0, delayed=delayed, dead=0, oldest_seconds=0.0
    )
    assert figures.problems == problems


@pytest.mark.parametrize(("options", "waiting", "delayed"), [({"retries": 1}, 0, 300), ({}, 300, 0)])
def test_of_many_delayed_messages_those_that_failed_are_told_from_those_put_back(redis_url, options, waiting, delayed):
    prefix = f"{{{secrets.token_hex(4)}}}"
    with redis.Redis.from_url(redis_url) as client:
        body = json.dumps({"options": options})
        client.hset(f"{prefix}:projections.DQ.msgs", mapping={str(number): body for number in range(300)})
        [found] = Queues(client, prefix=prefix).health().queues
        client.delete(f"{prefix}:projections.DQ.msgs")
    assert (found.waiting, found.delayed) == (waiting, delayed)
