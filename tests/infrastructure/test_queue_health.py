"""Which figures of a queue are a problem."""

import pytest

from infrastructure.queue_health import QueueFigures


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
