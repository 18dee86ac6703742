"""The queue's figures, and its dead letters."""

import time

from infrastructure.broker import open_broker
from projections.engine import Engine
from tests.faults.stand import eventually
from tests.faults.stores import TABLES


def test_the_figures_say_what_waits_for_how_long_and_that_nobody_works(projectors, tenant):
    projectors.wakeups.appended(tenant, "cli", 1, ["deal"])
    time.sleep(0.05)
    health = projectors.queue.health()
    (figures,) = health.queues
    assert (figures.waiting, figures.in_progress, figures.delayed, figures.dead, health.workers) == (3, 0, 0, 0, 0)
    assert 0.04 < figures.oldest_seconds < 5
    assert health.swept_seconds is None
    assert health.problems == ["paused: no worker takes messages"]


def test_a_live_worker_and_a_sweep_are_seen(projectors, tenant):
    projectors.queue.worker_is_alive("one")
    projectors.sweep(tenant)
    figures = projectors.queue.health()
    assert figures.workers == 1
    assert figures.swept_seconds is not None
    assert figures.swept_seconds < 5
    assert figures.problems == []
    projectors.queue.worker_is_gone("one")
    assert projectors.queue.health().workers == 0


def test_a_parked_projection_leaves_a_dead_letter_that_can_be_cleared(projectors, tenant):
    stand = projectors.stand
    stand.heard[0].whims.poison = {2}
    with projectors.working():
        projectors.open(tenant, 3)
        eventually(lambda: projectors.sweep(tenant) is not None and projectors.queue.health().dead)
    (letter,) = projectors.queue.dead_letters()
    assert letter.actor == "parked"
    assert letter.arguments[:3] == [str(tenant), TABLES[0], 2]
    assert "Jane" not in str(letter)
    assert "projections: 1 dead letters" in projectors.queue.health().problems
    assert projectors.queue.clear_dead_letters() == 1
    assert (projectors.queue.health().dead, projectors.queue.dead_letters()) == (0, [])
    assert stand.status(tenant)[TABLES[0]].parked_at is not None


def test_a_dead_letter_of_last_year_is_still_there_after_the_queue_was_tidied_up(projectors, tenant):
    projectors.wakeups.parked(tenant, TABLES[0], 2, "poison")
    with projectors.working():
        eventually(lambda: projectors.queue.health().dead)
    dead = f"{projectors.prefix}:projections.XQ"
    (id,) = projectors.redis.zrange(dead, 0, -1)
    projectors.redis.zadd(dead, {id: (time.time() - 365 * 86_400) * 1000})

    broker = open_broker(projectors.redis, prefix=projectors.prefix)
    broker.maintenance_chance = 1_000_000  # at each command
    broker.do_fetch("projections", 1)

    assert len(projectors.queue.dead_letters()) == 1


def test_an_error_that_no_projection_answers_for_is_tried_again_and_ends_as_a_dead_letter(
    projectors, tenant, monkeypatch
):
    tries = []

    def broken(self, group, tenant):
        tries.append(group)
        raise RuntimeError("Jane Doe")

    monkeypatch.setattr(Engine, "drain", broken)
    with projectors.working():
        projectors.wakeups.wake([("relational", tenant)])
        eventually(lambda: projectors.queue.health().dead, within=20)
    assert len(tries) == 6
    (letter,) = projectors.queue.dead_letters()
    dead = projectors.redis.hvals(f"{projectors.prefix}:projections.XQ.msgs")
    assert b"RuntimeError at tests/faults/test_queue.py" in dead[0]
    assert b"Jane" not in dead[0]

    monkeypatch.undo()
    assert projectors.queue.try_again(letter)
    with projectors.working():
        eventually(lambda: projectors.queue.health().queues[0].waiting == projectors.queue.health().dead == 0)
    assert not projectors.queue.try_again(letter)
